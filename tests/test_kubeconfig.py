"""Faults of a kubeconfig are told as such, before anything is asked; files that never end are not read."""

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from kubevitals.diagnosis import history, known_issues
from kubevitals.errors import Unusable
from kubevitals.input_files import require_readable
from kubevitals.source import credential_plugins
from kubevitals.source.live import Live
from tests.fake_server import ApiServer, api_server, self_signed, write_kubeconfig
from tests.fakes import NOW
from tests.networks import node
from tests.runs import Run

pytest_plugins = ["pytester"]

NO_PEM = base64.b64encode(b"no certificate").decode()
HTTPS = "https://127.0.0.1:1"

FAULTS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "no server": ({"server": ""}, {}, "its cluster has no server: write one such as https://"),
    "no URL": ({"server": "nonsense"}, {}, "its server 'nonsense' is not a URL"),
    "another scheme": ({"server": "ftp://host"}, {}, "its server 'ftp://host' is not a URL"),
    "no port": ({"server": "https://host:port"}, {}, "its server 'https://host:port' is not a URL"),
    "a broken CA": (
        {"server": HTTPS, "certificate-authority-data": NO_PEM},
        {},
        "its certificate-authority cannot be used: no certificate or crl found$",
    ),
    "a broken key": (
        {"server": HTTPS},
        {"client-certificate-data": NO_PEM, "client-key-data": NO_PEM},
        "its client certificate and key cannot be used: not in PEM format$",
    ),
    "a key that is not there": (
        {"server": HTTPS},
        {"client-certificate": "/absent/certificate", "client-key": "/absent/key"},
        "File does not exist: /absent/",
    ),
}


@pytest.mark.parametrize(("cluster", "user", "message"), FAULTS.values(), ids=FAULTS)
def test_what_is_wrong_with_a_kubeconfig_is_told(
    tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any], message: str
) -> None:
    file = write_kubeconfig(tmp_path / "kubeconfig", "", **user)
    content = json.loads(file.read_text())
    content["clusters"][0]["cluster"] = cluster
    file.write_text(json.dumps(content))
    with pytest.raises(Unusable, match=f"the kubeconfig .* cannot be used: {message}"):
        Live(kubeconfig=str(file))


@pytest.mark.skipif(not which("openssl"), reason="openssl makes the certificate")
def test_a_key_of_another_certificate_is_told(tmp_path: Path) -> None:
    pairs = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        pairs.append(self_signed(tmp_path / name))
    user = {"client-certificate": str(pairs[0][0]), "client-key": str(pairs[1][1])}
    with pytest.raises(Unusable, match=r"its client certificate and key cannot be used: key values mismatch$"):
        Live(kubeconfig=str(write_kubeconfig(tmp_path / "kubeconfig", HTTPS, **user)))


@pytest.mark.parametrize(
    ("command", "words"),
    [("sleep 1000", r"took longer than 0\.1 s"), ("exec cat /dev/zero", "printed more than 1,048,576 bytes")],
)
def test_a_plugin_that_does_not_end_is_ended(
    kubeconfig: Path, server: ApiServer, monkeypatch: pytest.MonkeyPatch, command: str, words: str
) -> None:
    monkeypatch.setattr(credential_plugins, "PLUGIN_SECONDS", 0.1 if "sleep" in command else 60)
    version = "client.authentication.k8s.io/v1"
    plugin = {"apiVersion": version, "command": "sh", "args": ["-c", command], "interactiveMode": "Never"}
    file = write_kubeconfig(kubeconfig, server.address, exec=plugin)
    with pytest.raises(Unusable, match=rf"context fake: exec: .*sh {words}"):
        Live(kubeconfig=str(file))


@pytest.mark.skipif(not which("openssl"), reason="openssl makes the certificate")
def test_where_warnings_are_errors_a_cluster_without_verified_certificates_is_checked(
    run: Run, pytester: pytest.Pytester, kubeconfig: Path, tmp_path: Path
) -> None:
    """As in a clone of the repository."""
    pytester.makeini("[pytest]\nfilterwarnings = error")
    with api_server(*self_signed(tmp_path)) as server:
        content = json.loads(write_kubeconfig(kubeconfig, server.address).read_text())
        content["clusters"][0]["cluster"]["insecure-skip-tls-verify"] = True
        kubeconfig.write_text(json.dumps(content))
        server.serve("/api/v1/nodes", node("worker"))
        result = run("-c", "tox.ini", "-k", "api_server_is", "--kubelet=none", checks=["api-server"])
        assert result.ret == 0, result.stdout.str()
        assert server.requests


READERS: dict[str, Callable[[Path], object]] = {
    "compare": history.load,
    "known issues": lambda path: known_issues.load(path, NOW.date()),
    "kubeconfig": lambda path: Live(kubeconfig=str(path)),
    "recording": lambda path: require_readable(path, 1),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_pipe_or_a_device_is_refused_and_not_read(tmp_path: Path, read: Callable[[Path], object]) -> None:
    """Nobody writes to the pipe, and the device never ends."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(Unusable, match=f"{path} is not a regular file"):
            read(path)


def test_a_pipe_as_a_recording_is_refused_in_one_line(run: Run) -> None:
    os.mkfifo("pipe")
    result = run("--snapshot=pipe", checks=["api-server"])
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = filter(None, result.errlines)
    assert line.startswith("ERROR: pipe is not a regular file")


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12")
    assert require_readable(path, 2) == path
    with pytest.raises(Unusable, match="has more than 1 bytes"):
        require_readable(path, 1)


def test_a_kubeconfig_with_very_many_contexts_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    """The client would compare each context with all others."""
    path = tmp_path / "kubeconfig"
    for line in ("- name: c\n", '{"name": "c"},\n'):
        path.write_text(line * 6001)
        with pytest.raises(Unusable, match="cannot be used: it has more than 6,000 names: take one context out of it"):
            Live(kubeconfig=str(path))
