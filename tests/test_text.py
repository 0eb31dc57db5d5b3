from base64 import b64encode
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubevitals.redaction import PATTERNS, redact
from kubevitals.text import LINE_LIMIT, clean

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJl"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nhunter2hunter2\n-----END RSA PRIVATE KEY-----"

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456789"


def in_base_64(text: str) -> str:
    return b64encode(text.encode()).decode()


CREDENTIALS = [
    (f"token {JWT} was refused", JWT),
    ("Authorization: Bearer abcDEF123456", "abcDEF123456"),
    ("Authorization: Basic dXNlcjpodW50ZXIy", "dXNlcjpodW50ZXIy"),
    ("using AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", "wJalrXUtnFEMI"),
    ("pushed with ghp_abcdefghijklmnopqrstuvwxyz", "ghp_abcdefghijklmnopqrstuvwxyz"),
    ("dial postgres://admin:hunter2@db:5432/shop", "hunter2"),
    ("https://user:hunter2@registry.local/v2/", "hunter2"),
    ("mysql --password=hunter2 -h db", "hunter2"),
    ("PGPASSWORD = hunter2", "hunter2"),
    ("password: hunter2", "hunter2"),
    ("password: swordfish was refused", "swordfish"),
    ("password:hunter2", "hunter2"),
    ("passwd='hunter two'", "hunter two"),
    ('password="hunter two, cut off', "hunter two"),
    ('{"db": {"password": "hunter two"}}', "hunter two"),
    ('{"password" : "hunter two"}', "hunter two"),
    (r"body: {\"apiKey\":\"hunter2\"}", "hunter2"),
    ("api_key: hunter2", "hunter2"),
    ("GET /v1/secret?token=hunter2&a=b", "hunter2"),
    (f"key:\n{PEM}\nend", "MIIEpAIBAAKCAQEA"),
    (PEM.partition("-----END")[0], "MIIEpAIBAAKCAQEA"),
    (PEM.partition("\n")[2], "MIIEpAIBAAKCAQEA"),
    (PEM.replace("RSA PRIVATE KEY-", "PGP PRIVATE KEY BLOCK-"), "MIIEpAIBAAKCAQEA"),
    (f"client-key-data: {in_base_64(PEM)}", in_base_64(PEM)[40:80]),
    (f"read {in_base_64(JWT)}", in_base_64(JWT)[20:60]),
    ('{"auths":{"registry.local":{"auth":"dXNlcjpodW50ZXIy"}}}', "dXNlcjpodW50ZXIy"),
    ("dial postgres://admin:hun@ter@2@db:5432/shop", "ter"),
    (f"dial postgres://admin:{'x' * 300}hunter2@db:5432/shop", "hunter2"),
    ("DefaultEndpointsProtocol=https;AccountKey=aHVudGVyMg==;x", "aHVudGVyMg"),
    ("GET https://x.blob.core.windows.net/c?sv=2022&sig=abcDEF123%2Fxyz%3D&se=2030", "abcDEF123"),
    ("Credential=x, Signature=fe5f80f77d5fa3beca038a248ff027", "fe5f80f77d5fa3beca"),
    ("Authorization: token hunter2hunter2", "hunter2"),
    ('"authorization":"ApiKey aHVudGVyMg=="', "aHVudGVyMg"),
    ("Cookie: session=hunter2; theme=dark", "hunter2"),
    ("host=db user=shop pass=hunter2", "hunter2"),
    ("DB_PASS=12345678", "12345678"),
    ("db_pass: hunter2", "hunter2"),
    (":password => 'hunter2'", "hunter2"),
    ("<password>hunter2</password>", "hunter2"),
    ("https://hooks.slack.com/services/T00000000/B00000000/abcdefghijklmnop", "abcdefghijklmnop"),
    *((f"using {start}{LETTERS}", LETTERS) for start in ("github_pat_", "glrt-", "sk_live_", "npm_", "hf_")),
    *((f"using {start}{LETTERS}", LETTERS) for start in ("ya29.", "dckr_pat_", "hvs.", "sk-proj-", "xapp-1-A0BCDEF-")),
    (f"using SG.{LETTERS}.{LETTERS}", LETTERS),
    ("Error 1045: root:hunter2@tcp(db.shop.svc:3306)/shop", "hunter2"),
    ("AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJalrXUtnFEMI"),
    (f"data: {in_base_64('password=hunter2')}", in_base_64("=hunter2")[4:]),
    *((f"using {start}{LETTERS}", LETTERS) for start in ("rk_live_", "whsec_", "pypi-AgEIcHlwaS5vcmc", "glc_")),
    *((f"using {start}{'0123456789abcdef' * 2}", "89abcdef0") for start in ("dapi", "shpat_", "dop_v1_" + "0" * 32)),
    (f"using glsa_{LETTERS[:32]}_0a1b2c3d", LETTERS[:32]),
    (f"telegram 123456789:AA{LETTERS[:33]}", LETTERS[:33]),
    (f"POST https://discord.com/api/webhooks/12345/{LETTERS}", LETTERS),
    ("password is 'hunter2'", "hunter2"),
    ('connecting with password "hunter2"', "hunter2"),
    ("sqlplus scott/hunter2@orcl", "hunter2"),
    ("jdbc:oracle:thin:scott/hunter2@db:1521/orcl", "hunter2"),
    ("scott/hunter2@//db:1521/orcl", "hunter2"),
    ("curl -sS -u admin:hunter2 https://db/health", "hunter2"),
    ("curl --user 'admin:hunter2' https://db/health", "hunter2"),
    ("ENCRYPTION_KEY=hunter2", "hunter2"),
    ("passphrase: correct horse hunter2 staple", "hunter2"),
    (f"identity AGE-SECRET-KEY-1{'QPZRY9X8GF' * 6}", "QPZRY9X8GF"),
    (f"nkey seed SUA{'CDEFGHIJKLMNOPQRSTUVWXYZ234567' * 2}"[:70], "CDEFGHIJ"),
    ("password: |\n  hunter2\n  more\nuser: shop", "hunter2"),
    ("password: >- hunter2", "hunter2"),
    ("CREATE USER 'shop' IDENTIFIED BY 'hunter2'", "hunter2"),
    ("admin:$apr1$ZjTqBB3f$IF9gdYAGlMrs2fuINjHsz.", "IF9gdYAGlMrs2fuINjHsz"),
    ("admin:$2y$05$r3J4d3VepzFkedkd/q1vI.pBIYSqjfN0qOARyV3ScUHysatnS0cL2", "r3J4d3VepzFkedkd"),
    ("admin:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "W6ph5Mm5Pz8G"),
    ("POST body user%3Dshop%26password%3Dhunter2%26x", "hunter2"),
]

READABLE = [
    'MountVolume.SetUp failed for volume "secret" : secret "db-token" not found',
    'MountVolume.SetUp failed for volume "kube-api-x7" : failed to fetch token: serviceaccounts "shop" not found',
    'MountVolume.SetUp failed for volume "db-secret" : references non-existent secret key: token',
    "couldn't find key token in Secret ns/x",
    'Error: secret "password" not found',
    "back-off 5m0s restarting failed container=token-refresher pod=secret-agent-0_shop(0f3a)",
    "Unable to retrieve some image pull secrets (regcred); attempting to pull the image may not succeed.",
    'Back-off pulling image "ghcr.io/external-secrets/external-secrets:v0.9.1"',
    "failed to fetch anonymous token: unexpected status from GET request to https://ghcr.io/token?scope=x: 403",
    'failed to fetch oauth token: Post "https://auth.docker.io/token": dial tcp: lookup auth.docker.io: no such host',
    "dial tcp: lookup token.example.com: no such host",
    "no basic auth credentials",
    "basic authentication failed",
    'secrets is forbidden: User "bob" cannot list resource "secrets" in API group "" at the cluster scope',
    'container "token-exporter" is waiting to start: PodInitializing',
    "tests: pass=12 fail=0",
    "container sk-learn-serving-of-recommendations-7c9d8f7b6c-x2x4q is not ready",
    "pod xapp-traffic-steering-7c9d8f7b6c-x2x4q is not ready",
    "lookup hvs.vault-of-all-the-secrets-we-have.svc: no such host",
    "the Authorization: header is missing",
    "compass=north, bypass=always",
    "Access denied for user 'shop'@'10.0.0.1' (using password: NO)",
    "Access denied for user 'shop'@'10.0.0.1' (using password: YES)",
    "failed to fetch oauth token: EOF",
    "DB_PASSWORD= is empty",
    "DB_PASSWORD: not set",
    "the variable DB_PASSWORD is not set",
    "open ssl_private_key=/etc/tls/private.key: no such file or directory",
    "--tls-private-key-file=/etc/kubernetes/pki/apiserver.key",
    "token_path: /var/run/secrets/tokens/vault-token",
    "secretName: app-tls",
    "max_tokens=4096",
    "docker-pullable://nginx@sha256:0d17b565c37bcbd895e9d92315a05c1c3c9a29f762b011a10c54a66cd53c9b31",
    "fetch ssh://git@github.com/shop/app.git",
    "npm error notarget No matching version found for @shop/app@1.2.3",
    "dial tcp shop/app@10.0.0.1",
]


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
        redacted = pattern.sub(replacement, redacted)
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
