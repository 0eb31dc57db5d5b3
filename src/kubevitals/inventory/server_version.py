"""The API server's version, as its answer to /version says it."""

import msgspec

from kubevitals.errors import NotObserved
from kubevitals.source.request import Answer
from kubevitals.text import clean


class _Version(msgspec.Struct):
    gitVersion: str = ""  # noqa: N815


def version_of(answer: Answer) -> str | None:
    """Return the version in an answer of /version, ``v1.34.4``; nothing if Kubernetes does not answer like that."""
    try:
        return clean(msgspec.json.decode(answer.body, type=_Version).gitVersion, 60)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def not_kubernetes(path: str, answer: Answer) -> NotObserved:
    """Return that something other than Kubernetes answers, such as a sign-in page."""
    return NotObserved(f"{path} does not answer like Kubernetes: {answer.body[:60]!r}")
