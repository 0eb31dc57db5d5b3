"""Ctrl-C and SIGTERM: both raise KeyboardInterrupt, so that the run cleans up and reports."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer, current_thread, main_thread
from types import FrameType

AGAIN = 0.05
"""Seconds until a signal is sent again if Python dropped its KeyboardInterrupt, as it does in a finalizer."""


class Interrupts:
    """SIGINT and SIGTERM raise KeyboardInterrupt, except during the clean-up after one."""

    def __init__(self) -> None:
        self._held = False
        self._dropped = False
        self._number = signal.SIGINT
        self._repeat: Timer | None = None

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Handle both signals; Python only does so in its main thread."""
        if current_thread() is not main_thread():
            yield
            return
        before = {number: signal.signal(number, self._raise) for number in (signal.SIGINT, signal.SIGTERM)}
        self._report, sys.unraisablehook = sys.unraisablehook, self._raise_again
        try:
            yield
        finally:
            self.hold()
            sys.unraisablehook = self._report
            for number, handler in before.items():
                signal.signal(number, handler)

    def hold(self) -> None:
        """Ignore both signals from now on."""
        self._held = True
        if self._repeat:
            self._repeat.cancel()
            self._repeat.join()

    def raise_dropped(self) -> None:
        """Raise the KeyboardInterrupt that Python dropped, if there is one that was not raised again yet."""
        if self._dropped:
            raise KeyboardInterrupt(self._number.name)

    def _raise(self, number: int, frame: FrameType | None) -> None:
        del frame
        if not self._held:
            self._dropped, self._number = False, signal.Signals(number)
            raise KeyboardInterrupt(self._number.name)

    def _raise_again(self, dropped: "sys.UnraisableHookArgs") -> None:
        """Send the signal again if its exception was dropped; report any other exception."""
        if not isinstance(dropped.exc_value, KeyboardInterrupt):
            self._report(dropped)
            return
        self._dropped = True
        self._repeat = Timer(AGAIN, signal.pthread_kill, (main_thread().ident, self._number))
        self._repeat.start()
