from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubevitals.redaction import PATTERNS, compiled, redact
from kubevitals.text import LINE_LIMIT, clean
from tests.credentials import CREDENTIALS, READABLE


@pytest.mark.parametrize(("text", "secret"), CREDENTIALS)
def test_a_credential_is_redacted(text: str, secret: str) -> None:
    assert secret not in redact(text)
    assert "[redacted]" in redact(text)
    assert secret not in clean(text)


@pytest.mark.parametrize("message", READABLE)
def test_what_kubernetes_says_stays_as_it_is(message: str) -> None:
    assert redact(message) == message


def test_what_stands_around_a_credential_stays() -> None:
    assert redact("mysql --password=hunter2 -h db") == "mysql --password=[redacted] -h db"
    assert redact("dial postgres://admin:hunter2@db:5432") == "dial postgres://[redacted]@db:5432"


FRAGMENTS = ["password", "token", "secret", "=", ":", " ", '"', "'", "\\", ",", "&", "\n", "://", "a", "@", "bearer "]
FRAGMENTS += [
    "eyJabcdefgh",
    ".abcdefgh",
    "A1",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "Bas\u0131c ",
]
FRAGMENTS += [
    "AKIA",
    "0123456789ABCDEF",
    "ghs_",
    "0123456789abcdefghij",
    "AIza",
    "pa\u017f\u017fwd",
    "Acce\u017f\u017f-\u212aey",
    "CREDENTIAL",
    "--pwd",
    "api_key",
    "github_pat_",
    "LS0tLS1CRUdJTi",
    "-----BEGIN PGP PRIVATE KEY BLOCK-----",
    "author\u0131zation: ",
    "coo\u212a\u0131e: x",
    "_PA\u017f\u017f",
    "<",
    ">",
    "ZXlK",
    "sig=",
    "hooks.slac\u212a.com/x/",
    '"auth":"',
    "password is '",
    "passphra\u017fe: a b",
    "curl -u a:",
    "identified by ",
    "a:b@tcp(",
    "sqlplus a/b@",
    "%3D",
    "$apr1$",
    "{SHA}",
    "is empty",
    "/etc/",
    "_file",
    "name",
    "EOF",
    "|\n ",
    "cGFzc3dvcmQ9",
]


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join) | st.text())
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join))
def test_no_pattern_is_passed_over_that_would_match(text: str) -> None:
    redacted = text
    for pattern, replacement in (each for _, patterns in PATTERNS for each in patterns):
        redacted = compiled(pattern).sub(replacement, redacted)
    assert redact(text) == redacted


@given(st.text(st.characters(), max_size=300), st.integers(40, 200))
def test_a_cleaned_line_is_bounded_and_printable(text: str, limit: int) -> None:
    line = clean(text, limit)
    assert line.isprintable()
    assert len(line) <= limit


def test_escapes_and_bidirectional_characters_are_shown_not_sent() -> None:
    assert clean("a\x1b[31mred\x07 \u202egnp.exe \u2066x\u200b \x9b2J") == (
        r"a\x1b[31mred\x07 \u202egnp.exe \u2066x\u200b \x9b2J"
    )


def test_a_long_line_says_how_long_it_was_however_often_it_is_cleaned() -> None:
    line = clean("x" * 5000)
    assert line.endswith("… (5000 characters)")
    assert clean(line) == line
    assert len(line) == LINE_LIMIT


HOSTILE = ["eyJ-", "eyJaaaaaaaa.", "-----BEGIN PRIVATE KEY-----", "a\n", "token", 'token="', "a://", "bearer ", "a+/="]
HOSTILE += [
    "sk-",
    "ZXlK/",
    "<a",
    "a://b@",
    "a:// ",
    "cookie: a=",
    "authorization: A ",
    "SG.",
    "hooks.slack.com/a/",
    "pass=",
    "curl -u a:",
    "password: |\n ",
    "a:b@tcp(",
    "sqlplus a/",
    "passphrase: a ",
    "password_file=",
    "cGFzc3dvcmQ9",
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_very_much_hostile_text_takes_little_time(unit: str) -> None:
    """What grows with the square takes more than 2 s."""
    text = (unit * (400_000 // len(unit) + 1))[:400_000]
    start = process_time()
    redact(text)
    assert process_time() - start < 2
    start = process_time()
    for _ in range(20):
        clean(text)
    assert process_time() - start < 2
