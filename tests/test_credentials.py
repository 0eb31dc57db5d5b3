"""Which cluster is asked, with whose credentials, and where these go."""

import json
import sys
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved, Unusable
from kubevitals.source.live import Live
from kubevitals.source.request import PROTOBUF, Request
from tests.fake_server import ApiServer, Reply, api_server, self_signed, write_kubeconfig
from tests.runs import Connect

PODS = Request("/api/v1/pods?limit=1000&resourceVersion=0", pb.Pod, PROTOBUF)


# --- where credentials go ---


def test_a_token_file_may_end_in_a_newline(server: ApiServer, kubeconfig: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file\n")
    write_kubeconfig(kubeconfig, server.address, tokenFile=str(tmp_path / "token"))
    Live(kubeconfig=str(kubeconfig)).get(PODS)
    assert server.requests[0][1]["authorization"] == "Bearer from-a-file"


@pytest.mark.parametrize("token", ["hunter2\nhunter2", "hunter2€hunter2"])
def test_a_token_that_cannot_be_sent_is_told_without_it(server: ApiServer, kubeconfig: Path, token: str) -> None:
    write_kubeconfig(kubeconfig, server.address, token=token)
    with pytest.raises(NotObserved, match="credentials contain characters that an HTTP header cannot hold") as caught:
        Live(kubeconfig=str(kubeconfig)).get(PODS)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_credentials_do_not_follow_a_redirect(server: ApiServer, connect: Connect, status: int) -> None:
    with api_server() as elsewhere:
        server.script("/api/v1/pods", Reply(b"", status, {"Location": f"{elsewhere.address}/api/v1/pods"}))
        assert connect().get(PODS).status == status
        assert elsewhere.requests == []


def test_a_server_without_tls_is_told_in_one_line(server: ApiServer, kubeconfig: Path) -> None:
    write_kubeconfig(kubeconfig, server.address.replace("http:", "https:"))
    with pytest.raises(NotObserved, match=r"https://127\.0\.0\.1:\d+ cannot be reached: TLS: (wrong|record)") as caught:
        Live(kubeconfig=str(kubeconfig)).get(PODS)
    assert str(caught.value).isprintable()


@pytest.mark.skipif(not which("openssl"), reason="openssl makes the certificate")
def test_a_certificate_that_nobody_vouches_for_is_told_in_one_line(kubeconfig: Path, tmp_path: Path) -> None:
    with api_server(*self_signed(tmp_path)) as server:
        write_kubeconfig(kubeconfig, server.address)
        with pytest.raises(NotObserved, match="cannot be reached: TLS: certificate verify failed: self-signed"):
            Live(kubeconfig=str(kubeconfig)).get(PODS)
        assert server.requests == []


# --- kubeconfig ---


def refused(match: str, **options: Any) -> str:
    with pytest.raises(Unusable, match=match) as caught:
        Live(**options)
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_without_any_kubeconfig_the_user_is_told_what_to_do() -> None:
    told = refused("no cluster to check: set KUBECONFIG or create ~/.kube/config .* or give --snapshot demo")
    assert "in a pod" not in told


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "")
    refused("no cluster to check")


def test_in_a_pod_without_a_token_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    refused("no cluster to check: .*in a pod: Service token file does not exist")


def test_a_file_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused("absent cannot be used: the file does not exist", kubeconfig=str(tmp_path / "absent"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "absent"))
    refused("absent cannot be used: the file does not exist")


@pytest.mark.parametrize(
    "content",
    ["", "a: [", "just words", "- a\n- list", "{}", "\x00\x01", "contexts: 3", "contexts: [{}]", "clusters: {a: b}"],
)
def test_a_file_that_is_no_kubeconfig_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "config").write_text(content)
    refused("the kubeconfig .* cannot be used: ", kubeconfig=str(tmp_path / "config"))


def test_an_unknown_context_lists_those_there_are(kubeconfig: Path) -> None:
    refused("has no context other; its contexts: fake", kubeconfig=str(kubeconfig), context="other")


def without_current_context(kubeconfig: Path) -> str:
    config = json.loads(kubeconfig.read_text())
    del config["current-context"]
    kubeconfig.write_text(json.dumps(config))
    return str(kubeconfig)


def test_without_a_current_context_one_must_be_given(kubeconfig: Path) -> None:
    file = without_current_context(kubeconfig)
    refused("no current context: give --context; its contexts: fake", kubeconfig=file)
    assert Live(context="fake", kubeconfig=file).context == "fake"


def test_a_context_without_its_cluster_is_refused(kubeconfig: Path) -> None:
    config = json.loads(kubeconfig.read_text()) | {"clusters": []}
    kubeconfig.write_text(json.dumps(config))
    refused("Expected object with name fake", kubeconfig=str(kubeconfig))


def test_several_files_are_one_kubeconfig(kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = write_kubeconfig(tmp_path / "other", "http://127.0.0.1:1", "other")
    monkeypatch.setenv("KUBECONFIG", f"{kubeconfig}:{other}:{tmp_path / 'absent'}")
    assert Live(context="other").context == "other"


def plugin(kubeconfig: Path, server: ApiServer, command: str, *args: str) -> str:
    version = "client.authentication.k8s.io/v1"
    user: dict[str, Any] = {
        "exec": {"apiVersion": version, "command": command, "args": args, "interactiveMode": "Never"}
    }
    return str(write_kubeconfig(kubeconfig, server.address, **user))


FAILING = {
    "absent": (["no-such-credential-plugin"], "No such file or directory: 'no-such-credential-plugin'"),
    "failing": ([sys.executable, "-c", "import sys; sys.exit('please log in')"], "please log in"),
    "babbling": ([sys.executable, "-c", "print('hello')"], "failed to decode process output"),
}


@pytest.mark.parametrize(("command", "words"), FAILING.values(), ids=FAILING)
def test_a_credential_plugin_that_fails_is_told(
    kubeconfig: Path, server: ApiServer, command: list[str], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    file = plugin(kubeconfig, server, *command)
    refused(f"no credentials for the context fake: (?!.*Errno).*{words}", kubeconfig=file)
    assert capfd.readouterr() == ("", "")


def test_a_credential_plugin_gives_the_token(kubeconfig: Path, server: ApiServer) -> None:
    status = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "fresh"}}
    file = plugin(kubeconfig, server, sys.executable, "-c", f"print({json.dumps(json.dumps(status))})")
    Live(kubeconfig=file).get(Request("/version"))
    assert server.requests[0][1]["authorization"] == "Bearer fresh"
