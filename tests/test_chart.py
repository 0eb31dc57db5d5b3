"""The Helm chart makes the same objects as kustomize, of the same manifests, and refuses unknown values."""

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubevitals import __version__
from scenarios.rights import DEPLOY, objects

CHART = DEPLOY / "chart"

OVERLAYS = {
    "base": (),
    "overlays/kubelet": ("kubelet=true",),
    "overlays/probe": ("probe=true",),
    "overlays/full": ("kubelet=true", "probe=true"),
    "overlays/namespace": ("namespaced=true",),
    "overlays/state-claim": ("state=claim",),
    "overlays/state-configmap": ("state=configmap",),
}
"""The values of the chart that are equal to each overlay."""

needs_helm = pytest.mark.skipif(not shutil.which("helm"), reason="needs helm")


def test_every_overlay_is_a_value() -> None:
    """But that of a fleet, which is no CronJob in the cluster that is checked."""
    overlays = {f"overlays/{path.name}" for path in (DEPLOY / "overlays").iterdir()}
    assert overlays - {"overlays/fleet-logs"} == set(OVERLAYS) - {"base"}


def test_the_manifests_of_the_chart_are_those_of_kustomize() -> None:
    """In a clone they are links, in an unpacked sdist they may be copies."""
    folders = ("base", "components", "overlays")
    manifests = {path for folder in folders for path in DEPLOY.glob(f"{folder}/**/*.yaml")}
    texts = {path.read_text() for path in manifests if path.name != "kustomization.yaml"}
    assert {path.read_text() for path in (CHART / "files").iterdir()} == texts


def test_the_chart_has_the_version_of_the_project() -> None:
    (chart,) = objects(CHART / "Chart.yaml")
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


def test_the_schema_names_every_value() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    (values,) = objects(CHART / "values.yaml")
    assert set(schema["properties"]) - {"global"} == set(values)


def rendered(*values: str, namespace: str = "kubevitals") -> subprocess.CompletedProcess[str]:
    options = [option for value in values for option in ("--set", value)]
    command = ["helm", "template", "kubevitals", str(CHART), "--namespace", namespace, *options]
    return subprocess.run(command, capture_output=True, text=True)


def by_name(documents: Iterable[Any]) -> dict[tuple[str, str, str], Any]:
    """Return objects by kind, namespace and name; of a release without its namespace, which Helm creates."""
    found = {
        (obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]): obj for obj in documents if obj
    }
    found.pop(("Namespace", "", "kubevitals"), None)
    return found


@needs_helm
@pytest.mark.skipif(not shutil.which("kubectl"), reason="needs kubectl")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_chart_and_kustomize_make_the_same_objects(overlay: str) -> None:
    made = subprocess.run(["kubectl", "kustomize", str(DEPLOY / overlay)], capture_output=True, text=True, check=True)
    namespace = "default" if overlay == "overlays/namespace" else "kubevitals"
    chart = rendered(*OVERLAYS[overlay], namespace=namespace)
    assert chart.returncode == 0, chart.stderr
    assert by_name(yaml.safe_load_all(chart.stdout)) == by_name(yaml.safe_load_all(made.stdout))


@needs_helm
def test_other_values_change_only_what_they_name() -> None:
    text = rendered(
        "image.repository=registry.example/kubevitals",
        "image.tag=1.2.3",
        "args={--fail-on=warning}",
        "env[0].name=KUBEVITALS_PUSH_URL,env[0].value=http://push",
        "knownIssues=[[issue]]",
        "imagePullSecrets[0].name=mine",
        "resources.limits.memory=4Gi",
        "nodeSelector.disk=fast",
        namespace="health",
    ).stdout
    made = by_name(yaml.safe_load_all(text))
    pod = made["CronJob", "health", "kubevitals"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == "registry.example/kubevitals:1.2.3"
    assert (container["args"][0], container["args"][-1]) == ("--require-observed", "--fail-on=warning")
    assert [variable["name"] for variable in container["env"]] == ["NAMESPACE", "KUBEVITALS_PUSH_URL"]
    assert (container["resources"], pod["nodeSelector"]) == ({"limits": {"memory": "4Gi"}}, {"disk": "fast"})
    assert pod["imagePullSecrets"] == [{"name": "mine"}]
    assert made["ConfigMap", "health", "kubevitals"]["data"] == {"known-issues.toml": "[[issue]]"}
    assert made["ClusterRoleBinding", "", "kubevitals"]["subjects"][0]["namespace"] == "health"


@needs_helm
@pytest.mark.parametrize(
    "values", [("namespaced=true", "probe=true"), ("state=volume",), ("kubelets=true",), ("args={rm}",)]
)
def test_values_that_do_not_exist_or_contradict_each_other_are_refused(values: tuple[str, ...]) -> None:
    refused = rendered(*values)
    assert refused.returncode != 0
    assert "values don't meet the specifications of the schema" in refused.stderr


@needs_helm
def test_the_chart_has_no_fault_that_helm_knows(tmp_path: Path) -> None:
    """Also once it is packed, without links."""
    for command in (["lint", "--strict", str(CHART)], ["package", str(CHART), "--destination", str(tmp_path)]):
        done = subprocess.run(["helm", *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    packed = str(tmp_path / f"kubevitals-{__version__}.tgz")
    text = subprocess.run(
        ["helm", "template", "kubevitals", packed, "-n", "kubevitals"], capture_output=True, text=True
    )
    assert text.stdout == rendered().stdout != ""
