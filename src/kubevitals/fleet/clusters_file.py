"""The clusters file: which clusters there must be, each with its group, owner, period and page."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from kubevitals.encoding.parts import Damaged
from kubevitals.encoding.yaml_values import yaml_value
from kubevitals.errors import Unusable
from kubevitals.input_files import require_readable
from kubevitals.text import clean, parse_duration

SIZE_LIMIT = 100 << 20
"""Bytes. A file of ten thousand clusters has about two million."""

_ADDRESS = re.compile(r"https?://[^/\s]\S*|(?!//)[^:\s]+", re.IGNORECASE)
"""A link that a page may have: another scheme, such as javascript, could act in the reader's name."""


class Listed(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A cluster that there must be.

    Attributes:
        name: the context of its run, or the name of its findings file or of the folder of that.
        uid: the uid of its namespace kube-system: a findings file with another one is refused.
        group: clusters of one group should be alike.
        owner: the team that is responsible.
        period: how old its findings may be (``26h``); empty for that of ``--stale-after``.
        link: the address of its own page.
    """

    name: str
    uid: str = ""
    group: str = ""
    owner: str = ""
    period: str = ""
    link: str = ""

    @property
    def seconds(self) -> float | None:
        """The period, if the file gives one."""
        return parse_duration(self.period) if self.period else None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    clusters: list[Listed]


def load(path: Path) -> list[Listed]:
    """Return the clusters of a clusters file.

    Raises:
        Unusable: the file cannot be read or is invalid; the message says in one line where.
    """
    name = f"--clusters {clean(str(path))}"
    try:
        text = require_readable(path, SIZE_LIMIT).read_text("utf-8")
        clusters = msgspec.convert(yaml_value(text), _File).clusters
        _refuse_invalid(clusters)
    except OSError as error:
        raise Unusable(f"{name} cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, Damaged, ValueError) as error:
        raise Unusable(f"{name} cannot be used: {clean(str(error))}") from error
    return clusters


def _refuse_invalid(clusters: Sequence[Listed]) -> None:
    """Refuse clusters that cannot be told apart, and values that cannot be used.

    Raises:
        ValueError: there is one.
    """
    names = Counter(cluster.name for cluster in clusters)
    uids = Counter(cluster.uid for cluster in clusters if cluster.uid)
    for cluster in clusters:
        name = clean(cluster.name, 100)
        if not name:
            raise ValueError("a cluster has no name")
        if names[cluster.name] > 1 and not cluster.uid:
            raise ValueError(f"several clusters have the name {name}: give each the uid of its namespace kube-system")
        if uids[cluster.uid] > 1:
            raise ValueError(f"several clusters have the uid {clean(cluster.uid, 100)}")
        if cluster.link and not _ADDRESS.fullmatch(cluster.link):
            raise ValueError(f"the link of {name} is not an address: give one that begins with https://, or a path")
        _ = cluster.seconds
