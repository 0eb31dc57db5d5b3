"""Makes foreign text fit to be shown: bounded, redacted, without characters that act on a terminal."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from math import isinf

LINE_LIMIT = 1000
"""Characters of one line that are shown; the rest is counted."""

REDACTED = "[redacted]"

_ALWAYS = r"(?:password|passwd|pwd|passphrase)"
_NAME = rf"(?:{_ALWAYS}|secret|token|api[_-]?key|(?:access|account)[_-]?key|private[_-]?key|credentials?)"
_VALUE = r"(?:\\?\"[^\"\n]*\"?|\\?'[^'\n]*'?|[^\s,;&\"'])[^\s,;&\"']*"
_PROSE = r"(?-i:[A-Z]?[a-z]+)\s+\S"
"""A word and more behind it: ``failed to fetch token: unexpected status`` names no credential."""
_EQUALS = r"[\w.-]{0,40}\\?[\"']?\s{0,3}=>?\s{0,3}"
_QUOTED = r"[\w-]{0,40}\\?[\"']?\s{0,3}:\s{0,3}(?=\\?[\"'])"
_PLAIN = rf"[\w-]{{0,40}}:\s{{1,3}}(?!{_PROSE})"

_KEY = r"[A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----"

_NO_NAME = r"(?=[\w-]{0,100}[A-Z])"
"""Names of Kubernetes' objects have no capitals."""

_KNOWN = (
    ("akia", r"AKIA[0-9A-Z]{16}"),
    ("asia", r"ASIA[0-9A-Z]{16}"),
    ("aiza", r"AIza[\w-]{30,}"),
    ("ya29.", r"ya29\.[\w-]{20,}"),
    *((f"gh{kind}_", rf"gh{kind}_\w{{20,}}") for kind in "pousr"),
    ("github_pat_", r"github_pat_\w{20,}"),
    ("glpat-", r"glpat-[\w-]{20,}"),
    ("glrt-", r"glrt-[\w-]{20,}"),
    ("xox", r"xox[abeprs][-.][\w-]{10,}"),
    ("xapp-", r"xapp-\d-[A-Z0-9]{6,}-[\w-]{6,}"),
    ("sk_", r"sk_(?:live|test)_\w{10,}"),
    ("sk-", rf"sk-{_NO_NAME}[\w-]{{32,}}"),
    ("sg.", r"SG\.[\w-]{16,}\.[\w-]{16,}"),
    ("npm_", r"npm_\w{30,}"),
    ("hf_", r"hf_\w{30,}"),
    ("dckr_", r"dckr_[a-z]{3}_[\w-]{20,}"),
    ("hvs.", rf"hvs\.{_NO_NAME}[\w-]{{20,}}"),
    ("ls0tls1crudjt", r"LS0tLS1CRUdJTi(?!BDRVJU)[\w+/=]+"),
    ("zxlk", r"ZXlK[\w+/]{20,}={0,2}"),
)
"""How credentials of well-known form begin, in lower case, and their whole form.

They are those of AWS, Google, GitHub, GitLab, Slack, Stripe, OpenAI, SendGrid, npm, Hugging Face, Docker and Vault;
and private keys and JSON web tokens in base 64.
"""

_SECRETS = (
    (
        ("key-----", "key block-----"),
        (rf"-----BEGIN {_KEY}(?s:.*?)(?:-----END {_KEY}|\Z)", REDACTED),
        (rf"(?<![\w+/=\s])[\w+/=\s]++-----END {_KEY}", REDACTED),
    ),
    (("eyj",), (r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?", REDACTED)),
    (tuple(start for start, _ in _KNOWN), (rf"\b(?-i:{'|'.join(form for _, form in _KNOWN)})", REDACTED)),
    (("://",), (r"([a-z][a-z0-9+.-]{0,20}://)[^\s/]+@", rf"\1{REDACTED}@")),
    (("hooks.slack.com/",), (r"(hooks\.slack\.com/[\w-]{1,40}/)[\w/-]+", rf"\1{REDACTED}")),
    (("sig=", "signature="), (r"\b(?-i:(sig|[Ss]ignature)=)[\w%+/=.-]{16,}", rf"\1={REDACTED}")),
    (
        ("auth",),
        (r"(\"auth\\?\"\s{0,3}:\s{0,3}\\?\")[\w+/=]{8,}", rf"\1{REDACTED}"),
        (
            r"(\bauthorization\\?[\"']?\s{0,3}[:=]\s{0,3}\\?[\"']?(?:[\w-]{1,20}\s{1,3})?)"
            r"(?=\S{0,200}(?-i:[A-Z0-9=+/]))[\w+/=.~-]{8,}",
            rf"\1{REDACTED}",
        ),
    ),
    (("cook",), (r"(\b(?:set-)?cookie:\s{0,3})(?=[\w.-]{1,60}=)[^\r\n\"']+", rf"\1{REDACTED}")),
    (
        ("bearer", "bas"),
        (r"\b(bearer|basic)\s{1,3}(?=\S{0,200}(?-i:[A-Z0-9=+/]))[\w+/=.~-]{8,}", rf"\1 {REDACTED}"),
    ),
    (
        ("pass", "pwd", "secret", "token", "key", "cred"),
        (rf"({_NAME}(?:{_EQUALS}|{_QUOTED}|{_PLAIN})){_VALUE}", rf"\1{REDACTED}"),
        (rf"({_ALWAYS}:\s{{0,3}}){_VALUE}", rf"\1{REDACTED}"),
        (rf"((?<![a-z])pass\\?[\"']?\s{{0,3}}=>?\s{{0,3}})(?!\d+(?:\W|$)){_VALUE}", rf"\1{REDACTED}"),
        (rf"([_-]pass\\?[\"']?\s{{0,3}}(?::|=>?)\s{{0,3}}){_VALUE}", rf"\1{REDACTED}"),
        (rf"(<[\w:.-]{{0,40}}{_NAME}[\w:.-]{{0,40}}>)[^<\n]+", rf"\1{REDACTED}"),
        (rf"(?<![\w-])(--?[\w-]{{0,40}}{_ALWAYS}\s{{1,3}})(?!-){_VALUE}", rf"\1{REDACTED}"),
        (rf"(?<![\w-])(--?[\w-]{{0,40}}{_NAME}\s{{1,3}})(?!-|{_PROSE}){_VALUE}", rf"\1{REDACTED}"),
    ),
)
"""Patterns with what takes their place. Before them stands what a text has if one of them matches; most have none.

It is looked for in the case folded text. Where a pattern ignores case it has no i, which stands for a dotless one, too.
"""
PATTERNS = tuple(
    (hints, tuple((re.compile(pattern, re.IGNORECASE), replacement) for pattern, replacement in patterns))
    for hints, *patterns in _SECRETS
)
_HINTS = tuple(hint for hints, _ in PATTERNS for hint in hints)


class _Redaction:
    """Whether credentials are redacted, the same for all threads: texts are cleaned in too many places to tell each."""

    on = True


@contextmanager
def unredacted() -> Iterator[None]:
    """Keep what looks like a credential in all texts meanwhile."""
    _Redaction.on = False
    try:
        yield
    finally:
        _Redaction.on = True


def redacting() -> bool:
    """Return whether credentials are redacted."""
    return _Redaction.on


def redact(text: str) -> str:
    """Return the text without what looks like a credential; redacting twice changes nothing more."""
    if not redacting():
        return text
    has = text.casefold().__contains__
    if not any(map(has, _HINTS)):
        return text
    for hints, patterns in PATTERNS:
        if any(map(has, hints)):
            for pattern, replacement in patterns:
                text = pattern.sub(replacement, text)
    return text


def clean(text: str, limit: int = LINE_LIMIT) -> str:
    r"""Return foreign text as one line that is safe to print: white space folded, redacted, bounded, escaped.

    Control characters, terminal escapes and bidirectional controls appear as Python escapes (``\x1b``).
    """
    line = " ".join(redact(text[: 4 * limit]).split())
    if not line.isprintable():
        line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    if len(line) > limit or len(text) > 4 * limit:
        count = f"… ({len(text)} characters)"
        line = line[: limit - len(count)] + count
    return line


def duration(seconds: float) -> str:
    """Return a span of time as people say it, in its two largest units: ``90`` is ``1m30s``."""
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
"""Names that a missing one is compared with: a comparison takes about a tenth of a millisecond."""

LONGEST = 253
"""Characters of a name (validation of the API); a reference may name what nothing can be called."""


def near_name(name: str, existing: Iterable[str] | None) -> str:
    """Return `` (did you mean "app-config"?)`` where a name exists that looks like the missing one, else nothing.

    Of very many names those are compared that stand next to it in the alphabet.
    """
    every = sorted(existing or ()) if len(name) <= LONGEST else []
    start = max(0, bisect_left(every, name) - COMPARED // 2)
    near = get_close_matches(name, every[start : start + COMPARED], n=1, cutoff=0.75)
    return f' (did you mean "{near[0]}"?)' if near else ""


_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(text: str) -> float:
    """Return the seconds in ``90``, ``90s``, ``5m``, ``2h`` or ``1d``.

    Raises:
        ValueError: the text is none of these.
    """
    if not (match := re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)([smhd]?)", text.strip())):
        raise ValueError(f"{clean(text, 40)!r} is no duration such as 90s, 5m, 2h or 1d")
    return float(match[1]) * _UNITS[match[2]]


def plural(count: int, noun: str) -> str:
    """Return the count with its noun: ``1 node``, ``1,003 nodes``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def binary(size: float) -> str:
    """Return a number of bytes in binary units: ``64Mi``, ``1.5Gi``."""
    for unit in ("", "Ki", "Mi", "Gi", "Ti"):
        if size < 1024 or unit == "Ti":
            break
        size /= 1024
    return f"{size:.1f}".removesuffix(".0") + unit
