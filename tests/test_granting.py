"""An account without rights is told the one command that grants them."""

from pathlib import Path

import pytest
import yaml

from kubevitals.diagnosis.granting import RIGHTS, granting
from kubevitals.errors import EXIT_NOT_OBSERVED
from scenarios.harness import RECORDINGS
from tests.runs import Run

pytest_plugins = ["pytester"]

FILE = "deploy/base/rbac.yaml"
REFUSED = 'pods is forbidden: User "{}" cannot list resource "pods" in API group "" at the cluster scope'
COMMANDS = {
    "system:serviceaccount:kubevitals:kubevitals": f"kubectl apply -f {FILE}",
    "jane": f"kubectl apply -f {FILE} && kubectl create clusterrolebinding kubevitals-jane --clusterrole kubevitals "
    "--user jane",
    "Jane Doe@acme.com": f"kubectl apply -f {FILE} && kubectl create clusterrolebinding kubevitals-jane-doe-acme.com "
    "--clusterrole kubevitals --user 'Jane Doe@acme.com'",
    "system:serviceaccount:ops:reader": f"kubectl apply -f {FILE} && kubectl create clusterrolebinding "
    "kubevitals-ops-reader --clusterrole kubevitals --serviceaccount ops:reader",
}


@pytest.mark.parametrize(("account", "command"), COMMANDS.items(), ids=COMMANDS)
def test_the_command_is_for_the_account_that_is_refused(
    account: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[1])
    assert granting(["no answer", REFUSED.format(account)]) == command


def test_where_nobody_is_named_there_is_no_command() -> None:
    assert granting(["forbidden"]) == ""


def test_the_file_of_the_command_has_the_role() -> None:
    named = [(each["kind"], each["metadata"]["name"]) for each in yaml.safe_load_all(RIGHTS.read_text())]
    assert ("ClusterRole", "kubevitals") in named


def test_a_run_without_any_right_says_nothing_about_the_cluster_and_how_to_get_rights(run: Run) -> None:
    """The API server answers, and shows its certificate, to anybody."""
    chosen = ["api-server", "certificates", "node-ready"]
    result = run(f"--snapshot={RECORDINGS / 'no-rights.recording'}", checks=chosen)
    assert result.ret == EXIT_NOT_OBSERVED
    told = " ".join(result.stdout.str().split())
    assert "this account has no right to look: an administrator grants it with kubectl apply -f " in told
    assert "Not observed: this run says nothing about the cluster" in told
    assert "nodes/proxy" not in told
