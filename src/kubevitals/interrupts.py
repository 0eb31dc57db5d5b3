"""Ctrl-C and SIGTERM: both end what goes on by KeyboardInterrupt, so that it is tidied up and reported."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType


class Interrupts:
    """SIGINT and SIGTERM raise KeyboardInterrupt, but not while whoever is interrupted tidies up."""

    def __init__(self) -> None:
        self._held = False

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Handle both signals; Python does so in its main thread only."""
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
        """Ignore both from now on."""
        self._held = True

    def _raise(self, number: int, frame: FrameType | None) -> None:
        del frame
        if not self._held:
            raise KeyboardInterrupt(signal.Signals(number).name)
