"""Takes credentials out of text: what looks like a password, a token, a key."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

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
