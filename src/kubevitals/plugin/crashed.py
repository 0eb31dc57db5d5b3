"""A check that fails itself, by an exception of its own: told in one line, in which nothing of the cluster can act."""

import traceback
from pathlib import Path

import pytest
from _pytest._code.code import TerminalRepr  # noqa: PLC2701
from _pytest._io import TerminalWriter
from google.protobuf.message import Message

from kubevitals.inventory.cluster import Cluster
from kubevitals.text import clean


class FailedItself(TerminalRepr):
    """What is shown in place of a traceback, whose lines could hold what the cluster says."""

    def __init__(self, error: BaseException, file: Path) -> None:
        self.message = message(error, file)
        self.reprcrash = self
        """What pytest's short summary and JUnit's report show."""

    def toterminal(self, tw: TerminalWriter) -> None:
        """Write the line."""
        tw.line(self.message, red=True)


def message(error: BaseException, file: Path) -> str:
    """Return what happened in a line: the last line of the check's own file, and the exception."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename) == file] or frames
    place = f" at {Path(own[-1].filename).name}:{own[-1].lineno}, in {own[-1].name}" if own else ""
    return clean(f"the check failed itself{place}: {type(error).__name__}: {_words(error)}")


def _words(error: BaseException) -> str:
    """Return what the exception says; of a field that is not read, which ones are."""
    if isinstance(error, AttributeError) and isinstance(error.obj, Cluster):
        lists = ", ".join(sorted(listing.name for listing in Cluster.listings()))
        return f"a cluster has no {error.name}; its lists are {lists}, and cluster.objects(Kind(…)) has others"
    if isinstance(error, AttributeError) and isinstance(error.obj, Message):
        fields = ", ".join(field.name for field in error.obj.DESCRIPTOR.fields)
        return f"of {type(error.obj).__name__} kubevitals reads {fields}, not {error.name}: declare a Kind that does"
    return str(error)


class Unread:
    """The files that could not be imported, and why: the last line of what pytest says."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember it."""
        if report.failed:
            lines = [line for line in str(report.longrepr).splitlines() if line.strip()]
            self.files[report.nodeid] = clean(lines[-1].removeprefix("E ")) if lines else "no reason is told"


UNREAD = pytest.StashKey[Unread]()
