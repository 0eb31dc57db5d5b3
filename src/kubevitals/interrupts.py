"""Ctrl-C and SIGTERM: both raise KeyboardInterrupt, so that the run cleans up and reports."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType


class Interrupts:
    """SIGINT and SIGTERM raise KeyboardInterrupt, except during the clean-up after one."""

    def __init__(self) -> None:
        self._held = False

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Handle both signals; Python only does so in its main thread."""
        if current_thread() is not main_thread():
            yield
            return
        before = {number: signal.signal(number, self._raise) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def hold(self) -> None:
        """Ignore both signals from now on."""
        self._held = True

    def _raise(self, number: int, frame: FrameType | None) -> None:
        del frame
        if not self._held:
            raise KeyboardInterrupt(signal.Signals(number).name)
