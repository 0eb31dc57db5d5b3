"""Makes untrusted text safe to print: bounded, redacted, without characters that control a terminal."""

import re
from bisect import bisect_left
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from functools import lru_cache
from math import isinf

from kubevitals.redaction import redact, redacting

LINE_LIMIT = 1000
"""Characters of a line that are shown; a longer line ends with its length."""


_COMMAND = re.compile(r"##(?=(?:vso|teamcity)?\[)", re.IGNORECASE)
"""The beginning of a command (microsoft/azure-pipelines-agent Command.cs; TeamCity's service messages)."""

REMEMBERED = 300
"""Characters of the longest text whose cleaned form is kept for the next time; 4,096 of them take a few megabytes."""


def clean(text: str, limit: int = LINE_LIMIT) -> str:
    r"""Return untrusted text as one line that is safe to print: white space folded, redacted, bounded, escaped.

    Control characters, terminal escapes and bidirectional controls appear as Python escapes (``\x1b``). Nothing is a
    command of Azure Pipelines or TeamCity, which read them wherever they are in a line.
    """
    if len(text) > REMEMBERED:
        return _cleaned(text, limit)
    return _remembered(text, limit, redacting=redacting())


def _cleaned(text: str, limit: int) -> str:
    line = " ".join(redact(text[: 4 * limit]).split())
    if "##" in line:
        line = _COMMAND.sub("# #", line)
    if not line.isprintable():
        line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    if len(line) > limit or len(text) > 4 * limit:
        count = f"… ({len(text)} characters)"
        line = line[: limit - len(count)] + count
    return line


@lru_cache(maxsize=4096)
def _remembered(text: str, limit: int, *, redacting: bool) -> str:
    """Return what a short text was cleaned to before: names and messages recur."""
    del redacting
    return _cleaned(text, limit)


def duration(seconds: float) -> str:
    """Return a duration in its two largest units: ``1m30s`` for 90 seconds."""
    if isinf(seconds):
        return "an unknown time"
    left = max(0, int(seconds))
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count}{unit}")
    return "".join(parts[:2])


COMPARED = 400
"""Names that a missing one is compared with; one comparison takes about a tenth of a millisecond."""

LONGEST = 253
"""Characters of the longest name that the API server accepts; a reference may be longer."""


def near_name(name: str, existing: Iterable[str] | None) -> str:
    """Return `` (did you mean "app-config"?)`` if a similar name exists, or an empty text.

    If there are very many names, only the alphabetical neighbours are compared.
    """
    every = sorted(existing or ()) if len(name) <= LONGEST else []
    start = max(0, bisect_left(every, name) - COMPARED // 2)
    near = get_close_matches(name, every[start : start + COMPARED], n=1, cutoff=0.75)
    return f' (did you mean "{near[0]}"?)' if near else ""


_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(text: str) -> float:
    """Return the seconds of a duration: ``90``, ``90s``, ``5m``, ``2h`` or ``1d``.

    Raises:
        ValueError: the text is not a duration.
    """
    if not (match := re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)([smhd]?)", text.strip())):
        raise ValueError(f"{clean(text, 40)!r} is not a duration such as 90s, 5m, 2h or 1d")
    return float(match[1]) * _UNITS[match[2]]


def plural(count: int, noun: str) -> str:
    """Return the count with its noun: ``1 node``, ``1,003 nodes``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def listed(names: Collection[str], shown: int) -> str:
    """Return the first names in their order, and how many more there are: ``a, b, c and 4 more``."""
    more = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return clean(", ".join(sorted(names)[:shown]), 400) + more


def binary(size: float) -> str:
    """Return a number of bytes in binary units: ``64Mi``, ``1.5Gi``."""
    for unit in ("", "Ki", "Mi", "Gi", "Ti"):
        if size < 1024 or unit == "Ti":
            break
        size /= 1024
    return f"{size:.1f}".removesuffix(".0") + unit
