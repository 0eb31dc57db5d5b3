"""The line of a log that tells why a program ended: its last error, not what it writes while it shuts down."""

import re
from collections.abc import Iterable

SEARCHED = 1000
"""Characters at the beginning of a line in which its level is looked for."""

LINE = 200
"""Characters of a line that are kept."""

_LEVELS = (
    r"\[(?:ERROR|FATAL|PANIC)\]\[\d{1,9}\] (?:\S{1,80} \d{1,9}: )?",
    r"^[EF]\d{4} \d\d:\d\d:\d\d\.\d{1,9} {1,9}\d{1,9} \S{1,80}\] ",
    r"\blevel=(?:error|fatal|panic)\b.{0,80}?\bmsg=",
    r"\"level\": ?\"(?:error|fatal|panic)\".{0,80}?\"(?:msg|message)\": ?",
    r"(?:^|[\s\[])(?:ERROR|FATAL|PANIC|CRITICAL)\b[\]:]?\s{0,9}",
    r"^(?:panic|fatal error): ",
)
"""How a line marks an error: Calico (lib/logutils), klog, logrus and slog as text and as JSON, common loggers, Go."""

_ERROR = re.compile("|".join(f"(?:{level})" for level in _LEVELS))


def telling_line(lines: Iterable[str]) -> str:
    """Return the last error of a log without its time and level; empty if no line is marked as an error."""
    errors = [line[match.end() :].strip() for line in lines if (match := _ERROR.search(line, 0, SEARCHED))]
    return next((error[:LINE] for error in reversed(errors) if error), "")
