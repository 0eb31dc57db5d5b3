"""A run that is interrupted by Ctrl-C or SIGTERM reports what it has observed so far."""

from collections.abc import Generator
from contextlib import ExitStack

import pytest

from kubevitals.diagnosis.run import Run
from kubevitals.interrupts import Interrupts
from kubevitals.text import clean


class InterruptibleRun:
    """Hooks that end an interrupted run in good order."""

    def __init__(self, run: Run) -> None:
        self._run, self._interrupts = run, Interrupts()

    def start(self, config: pytest.Config) -> None:
        """Handle the signals until pytest ends."""
        handlers = ExitStack()
        handlers.enter_context(self._interrupts.handled())
        config.add_cleanup(handlers.close)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Stop all requests, and note why the run ends."""
        self._interrupts.hold()
        self._run.cluster.fetcher.stop()
        self._run.remarks.append(f"interrupted: {clean(str(excinfo.value)) or excinfo.typename}")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, None, None]:
        """Ignore further interrupts while reports are written."""
        self._interrupts.hold()
        yield
