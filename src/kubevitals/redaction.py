"""Redacts texts that look like credentials: passwords, tokens, keys."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

REDACTED = "[redacted]"


_ALWAYS = r"(?:password|(?<!etc/)passwd|pwd|passphrase)"


_NAME = (
    rf"(?:{_ALWAYS}|secret|token|credentials?"
    r"|(?:api|access|account|auth|encryption|hmac|master|private|session|shared|signing)[_-]?key)"
)


_SAYS = (
    r"(?!(?:are|cannot|empty|eof|forbidden|invalid|is|missing|must|no|not|required|unauthorized|unset|yes)"
    r"(?:[\s.,;:)]|$))"
)
"""Not a word that says something of a credential instead of being one: ``using password: NO``."""


_REST = (
    r"[\w-]{0,40}+(?<!file)(?<!files)(?<!path)(?<!dir)(?<!name)(?<!names)"
    r"(?!(?<=tokens)\s{0,3}[=:]\s{0,3}\d)(?!\s{0,3}[=:]\s{0,3}/(?:etc|home|mnt|opt|run|tmp|usr|var)/)"
)
"""The rest of a name, unless it is of something that all may see, such as ``secretName``, or a path or a number of
tokens follows.
"""


_VALUE = _SAYS + r"(?:\\?\"[^\"\n]*\"?|\\?'[^'\n]*'?|[^\s,;&\"'])[^\s,;&\"']*"


_PROSE = r"(?-i:[A-Z]?[a-z]+)\s+\S"
"""A word with more text behind it: in ``failed to fetch token: unexpected status`` it is not a credential."""


_EQUALS = r"(?:\.[\w.-]{0,40}+)?\\?[\"']?\s{0,3}=>?\s{0,3}"


_QUOTED = r"\\?[\"']?\s{0,3}:\s{0,3}(?=\\?[\"'])"


_PLAIN = rf":\s{{1,3}}(?!{_PROSE})"


_BLOCK = r"\S[^\n]*(?:\n[ \t]{1,40}[^\n]+)*"
"""The rest of a line, and the lines after it that are indented: a block of YAML."""


_KEY = r"[A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----"


_NO_NAME = r"(?=[\w-]{0,100}[A-Z])"
"""At least one capital letter, which names of Kubernetes objects do not have."""


_AWS_PAIR = r"(?:[:/,;\s]{1,3}[\w/+]{40}(?![\w/+]))?"
"""The secret that belongs to an access key, where it comes right after it."""


_KNOWN = (
    ("akia", rf"AKIA[0-9A-Z]{{16}}{_AWS_PAIR}"),
    ("asia", rf"ASIA[0-9A-Z]{{16}}{_AWS_PAIR}"),
    ("aiza", r"AIza[\w-]{30,}"),
    ("ya29.", r"ya29\.[\w-]{20,}"),
    *((f"gh{kind}_", rf"gh{kind}_\w{{20,}}") for kind in "pousr"),
    ("github_pat_", r"github_pat_\w{20,}"),
    ("glpat-", r"glpat-[\w-]{20,}"),
    ("glrt-", r"glrt-[\w-]{20,}"),
    *((f"gl{kind}-", rf"gl{kind}-[\w-]{{20,}}") for kind in ("agent", "cbt", "dt", "ft", "ptt", "soat")),
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
    ("cgfzc3dvcmq", r"cGFzc3dvcmQ[6-9][\w+/=]+"),
    ("rk_", r"rk_(?:live|test)_\w{10,}"),
    ("whsec_", r"whsec_[\w+/=]{20,}"),
    ("pyp", r"pypi-[\w-]{40,}"),
    ("_v1_", r"do[opr]_v1_[0-9a-f]{64}"),
    ("dap", r"dapi[0-9a-f]{32}"),
    ("shp", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
    ("glsa_", r"glsa_\w{32}_[0-9a-fA-F]{8}"),
    ("glc_", r"glc_[\w+/=]{32,}"),
    ("age-secret-key-1", r"AGE-SECRET-KEY-1[0-9A-Z]{58}"),
    ("sha256~", r"sha256~[\w-]{43}"),
    ("nrak-", r"NRAK-[0-9A-Z]{27}"),
    ("dt0", r"dt0[a-z]\d\d\.[0-9A-Z]{24}\.[0-9A-Z]{64}"),
    ("sntry", rf"sntry[su]_{_NO_NAME}[\w+/=-]{{40,}}"),
    ("atatt3", r"ATATT3[\w=-]{60,}"),
    ("pmak-", r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    ("n_ap", r"lin_api_[0-9A-Za-z]{40}"),
    ("dp.", r"dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{40,}"),
    ("pul-", r"pul-[0-9a-f]{40}"),
    (".atlasv1.", r"[0-9A-Za-z]{14}\.atlasv1\.[\w-]{60,}"),
    ("rubygems_", r"rubygems_[0-9a-f]{48}"),
    ("tskey-", rf"tskey-[a-z]{{2,20}}-{_NO_NAME}[\w-]{{20,}}"),
    ("pscale_", r"pscale_(?:tkn|oauth|pw)_[\w.-]{30,}"),
    ("sbp_", r"sbp_[0-9a-f]{40}"),
    ("gsk_", r"gsk_[0-9A-Za-z]{40,}"),
    ("pplx-", rf"pplx-{_NO_NAME}[0-9A-Za-z]{{40,}}"),
    ("r8_", r"r8_[0-9A-Za-z]{37}"),
    *((f"hv{kind}.", rf"hv{kind}\.{_NO_NAME}[\w-]{{60,}}") for kind in "br"),
    ("sq0", r"sq0(?:atp|csp|idp)-[\w-]{22,}"),
    ("8q~", r"[\w.~-]{3}8Q~[\w.~-]{34}"),
    ("lta", r"LTAI[0-9A-Za-z]{16,24}"),
    ("ops_eyj", r"ops_eyJ[\w+/=-]{100,}"),
)
"""Credentials of a well-known form: what each contains, in lower case, and its pattern.

They are those of AWS, Google, GitHub, GitLab, Slack, Stripe, OpenAI, SendGrid, npm, PyPI, Hugging Face, Docker, Vault,
DigitalOcean, Databricks, Shopify, Grafana, age, OpenShift, New Relic, Dynatrace, Sentry, Atlassian, Postman, Linear,
Doppler, Pulumi, Terraform Cloud, RubyGems, Tailscale, PlanetScale, Supabase, Groq, Perplexity, Replicate, Square,
Azure, Alibaba Cloud and 1Password, and base64 of private keys, JSON web tokens and passwords.
"""


_SLASH = r"(?:\\?/|%2F)"
"""The slash of a URL, perhaps escaped in JSON or in another URL."""


_SECRETS = (
    (
        ("key-----", "key block-----"),
        (rf"-----BEGIN {_KEY}(?s:.*?)(?:-----END {_KEY}|\Z)", REDACTED),
        (rf"(?<![\w+/=\s])[\w+/=\s]++-----END {_KEY}", REDACTED),
    ),
    (("eyj",), (r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?", REDACTED)),
    (tuple(start for start, _ in _KNOWN), (rf"\b(?-i:{'|'.join(form for _, form in _KNOWN)})", REDACTED)),
    (("://",), (r"([a-z][a-z0-9+.-]{0,20}://)(?!git@)[^\s/]+@(?!sha\d{3}:)", rf"\1{REDACTED}@")),
    (("@tcp(", "@un"), (r"(?<![\w.-])([\w.-]{1,40}:)[^\s/@]{1,200}(?=@(?:tcp|unix)\()", rf"\1{REDACTED}")),
    (
        ("@",),
        (
            r"(\b(?:jdbc:oracle:[a-z]{1,10}:|(?:sqlplus|connect|expdp|impdp)\s{1,3})[\w.$#]{1,40}/)[^\s/@]+(?=@)",
            rf"\1{REDACTED}",
        ),
        (r"(?<![\w.$#/@])([\w.$#]{1,40}/)[^\s/@]+(?=@//|@[\w.-]{1,253}:\d{2,5}/)", rf"\1{REDACTED}"),
    ),
    (
        ("hooks.slack",),
        (rf"(hooks\.slack(?:-gov)?\.com{_SLASH}[\w-]{{1,40}}{_SLASH})[\w/%\\-]+", rf"\1{REDACTED}"),
    ),
    (("/webhooks/",), (r"(/api/webhooks/\d{1,30}/)[\w-]+", rf"\1{REDACTED}")),
    ((":aa",), (r"\b(?-i:\d{8,10}:AA[\w-]{33})", REDACTED)),
    (("seed", "nkey"), (r"((?:seed|nkey)[^\w\n]{1,20})(?-i:S[ACNOUX][A-Z2-7]{56})", rf"\1{REDACTED}")),
    (("$",), (r"\$(?:apr1|2[aby]|[156]|argon2[a-z]{1,2})\$[\w./$=,+]{20,}", REDACTED)),
    (("{s",), (r"(\{(?-i:SSHA|SHA)[\d-]{0,4}\})[\w+/=]{20,}", rf"\1{REDACTED}")),
    (
        ("curl",),
        (r"(\bcurl\b[^\n]{0,200}?\s-(?:u|-user)[\s=]{0,3}[\"']?[^\s:\"']{1,60}:)[^\s\"']+", rf"\1{REDACTED}"),
    ),
    (
        ("dent",),
        (
            r"(\bidentified\s{1,3}(?:with\s{1,3}\S{1,60}\s{1,3})?(?:by|as)\s{1,3}(?:password\s{1,3})?[\"'])"
            r"[^\"'\n]+",
            rf"\1{REDACTED}",
        ),
    ),
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
        (rf"({_NAME}[\w-]{{0,40}}+:\s{{1,3}}[|>][-+]?\s{{1,20}}){_BLOCK}", rf"\1{REDACTED}"),
        (rf"(passphrase\\?[\"']?\s{{0,3}}[:=]\s{{0,3}}){_SAYS}[^\n,;\"']+", rf"\1{REDACTED}"),
        (rf"({_NAME}{_REST}(?:{_EQUALS}|{_QUOTED}|{_PLAIN})){_VALUE}", rf"\1{REDACTED}"),
        (rf"({_NAME}[\w-]{{0,40}}+%3D)[^\s&%\"']+", rf"\1{REDACTED}"),
        (rf"({_ALWAYS}\s{{1,3}}(?:(?:is|was)\s{{1,3}})?)(\"[^\"\n]+\"|'[^'\n]+')", rf"\1{REDACTED}"),
        (rf"({_ALWAYS}:\s{{0,3}}){_VALUE}", rf"\1{REDACTED}"),
        (rf"((?<![a-z])pass\\?[\"']?\s{{0,3}}=>?\s{{0,3}})(?!\d+(?:\W|$)){_VALUE}", rf"\1{REDACTED}"),
        (rf"([_-]pass\\?[\"']?\s{{0,3}}(?::|=>?)\s{{0,3}}){_VALUE}", rf"\1{REDACTED}"),
        (rf"(<[\w:.-]{{0,40}}{_NAME}[\w:.-]{{0,40}}>)[^<\n]+", rf"\1{REDACTED}"),
        (rf"(?<![\w-])(--?[\w-]{{0,40}}{_ALWAYS}\s{{1,3}})(?!-){_VALUE}", rf"\1{REDACTED}"),
        (rf"(?<![\w-])(--?[\w-]{{0,40}}{_NAME}\s{{1,3}})(?!-|{_PROSE}){_VALUE}", rf"\1{REDACTED}"),
    ),
)
"""Patterns and their replacements, after the hints of which every matching text contains one; most texts contain none.

Hints are searched in the case-folded text. No hint contains an i: a pattern that ignores case also matches a dotless
one.
"""


PATTERNS = tuple((hints, tuple(patterns)) for hints, *patterns in _SECRETS)

_HINTS = tuple(hint for hints, _ in PATTERNS for hint in hints)


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Return a pattern that ignores case; most runs need few of them."""
    return re.compile(pattern, re.IGNORECASE)


class _Redaction:
    """Whether credentials are redacted, for all threads: too many places clean texts to pass this to each."""

    on = True


@contextmanager
def unredacted() -> Iterator[None]:
    """Redact nothing inside this context."""
    _Redaction.on = False
    try:
        yield
    finally:
        _Redaction.on = True


def redacting() -> bool:
    """Return whether credentials are redacted."""
    return _Redaction.on


def redact(text: str) -> str:
    """Return the text with everything redacted that looks like a credential; redacting again changes nothing."""
    if not redacting():
        return text
    has = text.casefold().__contains__
    if not any(map(has, _HINTS)):
        return text
    for hints, patterns in PATTERNS:
        if any(map(has, hints)):
            for pattern, replacement in patterns:
                text = compiled(pattern).sub(replacement, text)
    return text
