"""The line of a log that tells why a program ended: its last error, not what it writes while it shuts down."""

import re
from collections.abc import Iterable
from functools import cache

from kubevitals.inventory.logs import EMPTY

SEARCHED = 1000
"""Characters at the beginning of a line in which its level is looked for."""

LINE = 200
"""Characters of a line that are kept."""

ERRORS = 3
"""Errors that tell why a program ended: what failed, what failed for that, and that it gives up."""

_LEVELS = (
    r"\[(?:ERROR|FATAL|PANIC)\]\[\d{1,9}\] (?:\S{1,80} \d{1,9}: )?",
    r"^[EF]\d{4} \d\d:\d\d:\d\d\.\d{1,9} {1,9}\d{1,9} \S{1,80}\] ",
    r"\blevel=(?:error|fatal|panic)\b.{0,80}?\bmsg=",
    r"\"level\": ?\"(?:error|fatal|panic)\".{0,80}?\"(?:msg|message)\": ?",
    r"(?:^|[\s\[])(?:ERROR|FATAL|PANIC|CRITICAL)\b[\]:]?\s{0,9}",
    r"^(?:panic|fatal error): ",
    r"\[(?:emerg|alert|crit|error)\] (?:\d{1,9}#\d{1,9}: )?",
    r"^(?:Exception in thread \S{1,80} |Caused by: )",
    r"^(?=(?:Uncaught )?[\w.]{0,120}(?:Error|Exception): )",
    r"^(?i:error|fatal|critical): ",
    r"^(?=\S{1,200} - Error during parsing: )",
)
"""How a line marks an error: Calico (lib/logutils), klog, logrus and slog as text and as JSON, common loggers, Go,
nginx (src/core/ngx_log.c), the JVM, CoreDNS (coredns/caddy), Python and Node.js, whose lines begin with the error."""

_TIME = re.compile(r"^\[?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d\S{0,12}\s{0,3}")

_CHATTER = re.compile(r"(?i)\b(?:exit(?:ing|ed)|shut(?:ting)? ?down|terminat(?:ing|ed)|stopp(?:ing|ed)|good ?bye)\b")
"""What programs write once they have decided to end."""


@cache
def _error() -> re.Pattern[str]:
    """Return what marks an error. Only a run that reads logs compiles it, which takes 20 ms."""
    return re.compile("|".join(f"(?:{level})" for level in _LEVELS))


def telling_lines(lines: Iterable[str]) -> list[str]:
    """Return the last errors of a log without their times and levels, the last one first."""
    errors = [line[match.end() :].strip() for line in lines if (match := _error().search(line, 0, SEARCHED))]
    return [error[:LINE] for error in reversed(errors) if error][:ERRORS]


def telling_line(lines: Iterable[str]) -> str:
    """Return the last error of a log, as `telling_lines` does; empty if no line is marked as an error."""
    return next(iter(telling_lines(lines)), "")


def last_words(lines: Iterable[str]) -> str:
    """Return the last error of a log, or without one its last line that says more than that the program ends."""
    lines = [line for line in lines if line != EMPTY and line.strip()]
    said = [line for line in lines if not _CHATTER.search(line)] or lines
    return telling_line(lines) or (_TIME.sub("", said[-1]).strip()[:LINE] if said else "")
