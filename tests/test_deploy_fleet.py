"""deploy/fleet: one Indexed Job over many kubeconfigs, the same with Argo Workflows and on GitHub, and the roll-up."""

import shlex
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kubevitals import __version__
from kubevitals.errors import EXIT_NOT_OBSERVED
from kubevitals.plugin import command
from scenarios.rights import DEPLOY, objects
from tests.fakes import NOW
from tests.fleets import report, write

pytest_plugins = ["pytester"]

FLEET = DEPLOY / "fleet"


def job(file: str) -> dict[str, Any]:
    (cron_job,) = objects(FLEET / file)
    spec: dict[str, Any] = cron_job["spec"]["jobTemplate"]["spec"]
    return spec


def workflow() -> dict[str, Any]:
    (template,) = objects(FLEET / "argo.yaml")
    return {each["name"]: each for each in template["spec"]["templates"]}


def pods() -> Iterator[dict[str, Any]]:
    """Yield the specification of every pod, with those of the workflow."""
    yield from (job(file)["template"]["spec"] for file in ("runs.yaml", "roll-up.yaml"))
    (template,) = objects(FLEET / "argo.yaml")
    for name in ("look", "roll-up"):
        of_name = workflow()[name]
        volumes = [*template["spec"]["volumes"], *of_name["volumes"]]
        yield template["spec"] | {"containers": [of_name["container"]], "volumes": volumes}


def test_each_pod_mounts_the_kubeconfig_of_its_index_and_no_other() -> None:
    runs = job("runs.yaml")
    pod = runs["template"]["spec"]
    (mount,) = [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "kubeconfigs"]
    assert mount == {
        "name": "kubeconfigs",
        "mountPath": "/kubeconfig",
        "subPathExpr": "$(JOB_COMPLETION_INDEX)",
        "readOnly": True,
    }
    (volume,) = [each for each in pod["volumes"] if each["name"] == "kubeconfigs"]
    paths = [item["path"] for source in volume["projected"]["sources"] for item in source["secret"]["items"]]
    assert runs["completionMode"] == "Indexed"
    assert paths == [str(index) for index in range(runs["completions"])]


def test_only_a_run_that_could_not_look_is_repeated() -> None:
    runs = job("runs.yaml")
    ignored, failed = runs["podFailurePolicy"]["rules"]
    assert (runs["backoffLimitPerIndex"], runs["template"]["spec"]["restartPolicy"]) == (2, "Never")
    assert ignored == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
    exits = {"containerName": "kubevitals", "operator": "NotIn", "values": [EXIT_NOT_OBSERVED]}
    assert failed == {"action": "FailIndex", "onExitCodes": exits}
    assert runs["template"]["spec"]["containers"][0]["name"] == exits["containerName"]
    retry = workflow()["look"]["retryStrategy"]
    assert retry["expression"] == f"asInt(lastRetry.exitCode) == {EXIT_NOT_OBSERVED}"


def test_no_pod_has_more_rights_than_it_needs() -> None:
    (namespace,) = objects(FLEET / "namespace.yaml")
    assert namespace["metadata"]["labels"] == {"pod-security.kubernetes.io/enforce": "restricted"}
    for pod in pods():
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert pod["securityContext"]["runAsNonRoot"]
        assert {each["name"] for each in container["volumeMounts"]} <= {each["name"] for each in pod["volumes"]}
    assert not any(
        job(file)["template"]["spec"]["automountServiceAccountToken"] for file in ("runs.yaml", "roll-up.yaml")
    )


def test_every_image_is_of_this_version() -> None:
    (kustomization,) = objects(FLEET / "kustomization.yaml")
    assert kustomization["images"] == [{"name": "kubevitals", "newTag": __version__}]
    assert {workflow()[name]["container"]["image"] for name in ("look", "roll-up")} == {f"kubevitals:{__version__}"}


def arguments(container: dict[str, Any]) -> list[str]:
    return [*container.get("command", ()), *container["args"]]


def of_the_job() -> list[str]:
    return arguments(job("roll-up.yaml")["template"]["spec"]["containers"][0])


def of_the_workflow() -> list[str]:
    return arguments(workflow()["roll-up"]["container"])


def on_github() -> list[str]:
    (steps,) = [each["jobs"]["roll-up"]["steps"] for each in objects(DEPLOY / "ci/github-fleet.yaml")]
    (script,) = [step["run"] for step in steps if step.get("name") == "Roll up"]
    (line,) = [line for line in script.replace("\\\n", "").splitlines() if line.startswith("pytest ")]
    return shlex.split(line.replace("$GITHUB_STEP_SUMMARY", "summary.md"))


PYTEST = ["pytest", "-p", "no:cacheprovider", "--pyargs", "kubevitals.fleet", "--findings-dir"]
COMMAND = ["/opt/kubevitals/bin/kubevitals", "fleet"]


@pytest.mark.parametrize(("roll_up", "start"), [(of_the_job, COMMAND), (of_the_workflow, COMMAND), (on_github, PYTEST)])
def test_the_roll_up_reads_what_the_runs_write(
    roll_up: Callable[[], list[str]], start: list[str], pytester: pytest.Pytester
) -> None:
    """Each run writes to a folder of its own, with its page beside it."""
    (findings,) = [arg for arg in arguments(workflow()["look"]["container"]) if arg.startswith("--findings=")]
    written = findings.removeprefix("--findings=/findings/").replace("{{inputs.parameters.cluster}}", "prod-eu-1")
    given = [arg.replace("/findings", "findings").replace("/etc/kubevitals/", "") for arg in roll_up()]
    assert given[: len(start)] == start
    folder, *options = given[len(start) :]
    for path in (folder, "rolled-up", f"{folder}/.roll-up"):
        Path(path).mkdir(exist_ok=True)
    write(Path(folder), written, report(context="prod-eu-1"))
    write(Path(folder), str(Path(written).with_name("health.html")), "<p>")
    Path("clusters.yaml").write_text("clusters: [{name: prod-eu-1}, {name: prod-us-1}]")
    now = f"--now={NOW + timedelta(minutes=30)}"
    result = pytester.runpytest_inprocess(*command.OF_FLEET, f"--findings-dir={folder}", *options, now)
    assert result.ret == EXIT_NOT_OBSERVED
    result.stdout.fnmatch_lines(["prod-us-1: no report: has no findings file", "*1 no report, 1 healthy in *"])
    assert 'href="prod-eu-1/health.html"' in Path(folder, "fleet.html").read_text()
