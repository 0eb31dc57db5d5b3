"""How a crashed check is reported: one line, with untrusted text escaped."""

import traceback
from pathlib import Path

import pytest
from _pytest._code.code import TerminalRepr  # noqa: PLC2701
from _pytest._io import TerminalWriter
from google.protobuf.message import Message

from kubevitals.inventory.cluster import Cluster
from kubevitals.text import clean


class Crash(TerminalRepr):
    """What is shown instead of a traceback, whose lines could contain text from the cluster."""

    def __init__(self, error: BaseException, file: Path) -> None:
        self.message = message(error, file)
        self.reprcrash = self
        """What pytest's short summary and the JUnit report show."""

    def toterminal(self, tw: TerminalWriter) -> None:
        """Write the line."""
        tw.line(self.message, red=True)


def message(error: BaseException, file: Path) -> str:
    """Return what happened in one line: the last line of the check's file that ran, and the exception."""
    frames = traceback.extract_tb(error.__traceback__)
    last = next((frame for frame in reversed(frames) if Path(frame.filename) == file), frames[-1] if frames else None)
    place = f" at {Path(last.filename).name}:{last.lineno}, in {last.name}" if last else ""
    return clean(f"the check crashed{place}: {type(error).__name__}: {_words(error)}")


def _words(error: BaseException) -> str:
    """Return the text of the exception, with the names that exist if an attribute does not."""
    if isinstance(error, AttributeError) and isinstance(error.obj, Cluster):
        lists = ", ".join(sorted(listing.name for listing in Cluster.listings()))
        return f"a cluster has no {error.name}; its lists are {lists}, and cluster.objects(Kind(…)) has others"
    if isinstance(error, AttributeError) and isinstance(error.obj, Message):
        fields = ", ".join(field.name for field in error.obj.DESCRIPTOR.fields)
        return f"kubevitals reads {fields} of a {type(error.obj).__name__}, not {error.name}: declare a Kind that does"
    return str(error)


class Unread:
    """The files that could not be imported, each with the last line of pytest's report."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record a file that could not be imported."""
        if report.failed:
            lines = [line for line in str(report.longrepr).splitlines() if line.strip()]
            self.files[report.nodeid] = clean(lines[-1].removeprefix("E ")) if lines else "pytest gives no reason"


UNREAD = pytest.StashKey[Unread]()
