"""The JUnit report: outcomes and findings as properties, warnings as output; by option a test case for each finding."""

import subprocess
from pathlib import Path
from shutil import which
from xml.etree import ElementTree as ET

import pytest

from kubevitals import schema_pb2 as pb
from tests.fake_server import ApiServer
from tests.runs import Run, crashing

pytest_plugins = ["pytester"]

CHECKS = ("startup-error", "config-mount", "node-ready")
CHOSEN = ("-k", "app-exit or dangling or nodes_are_ready")
KNOWN = """
[[issue]]
check = "startup-error"
object = "Pod/shop/api-0"
reason = "next sprint"
until = 9999-01-01
"""


@pytest.fixture
def cluster(run: Run, broken: ApiServer) -> Run:
    """Run the checks on a cluster where two pods crash, one of them known, and a template names a missing ConfigMap."""
    broken.serve("/api/v1/pods", crashing("web-0"), crashing("api-0"))
    metadata = pb.ObjectMeta(name="cart", namespace="shop", uid="cart")
    source = pb.EnvFromSource(
        configMapRef=pb.EnvFromReference(localObjectReference=pb.LocalObjectReference(name="absent"))
    )
    template = pb.PodTemplateSpec(spec=pb.PodSpec(containers=[pb.Container(name="app", envFrom=[source])]))
    schedule = pb.CronJobSpec(jobTemplate=pb.JobTemplateSpec(spec=pb.JobSpec(template=template)))
    broken.serve("/apis/batch/v1/cronjobs", pb.CronJob(metadata=metadata, spec=schedule))
    complete = pb.ObjectMeta(name="kube-root-ca.crt", namespace="shop")
    broken.serve("/api/v1/configmaps", pb.ConfigMap(metadata=complete))
    Path("known-issues.toml").write_text(KNOWN)
    return run


def cases() -> dict[str, ET.Element]:
    return {str(case.get("name")): case for case in ET.parse("junit.xml").iter("testcase")}


def properties(case: ET.Element) -> list[tuple[str | None, str | None]]:
    return [(each.get("name"), each.get("value")) for each in case.iter("property")]


def counts() -> tuple[str | None, ...]:
    (suite,) = ET.parse("junit.xml").iter("testsuite")
    return tuple(suite.get(name) for name in ("tests", "failures", "skipped", "errors"))


def test_checks_have_their_outcome_and_findings_and_a_warning_is_output(cluster: Run) -> None:
    cluster(*CHOSEN, checks=CHECKS)
    assert counts() == ("5", "1", "0", "0")
    silent = properties(cases()["test_nodes_are_ready[silent]"])
    assert silent == [("check", "node-ready[silent]"), ("outcome", "healthy")]
    check, outcome, *found = properties(broken := cases()["test_containers_start_and_stay[app-exit]"])
    assert (check, outcome) == (("check", "startup-error[app-exit]"), ("outcome", "broken"))
    assert {name for name, _ in found} == {"finding"}
    assert any(str(words).startswith("Pod/shop/web-0: ") for _, words in found)
    assert "web-0" not in (broken.findtext("system-out") or "")
    warned = cases()["test_config_can_be_mounted[dangling-reference]"].findtext("system-out")
    assert warned is not None
    assert warned.startswith("warning: CronJob/shop/cart: references ConfigMap")
    assert "remedy: " in warned
    (root, *_) = ET.parse("junit.xml").findall("./testsuite/properties/property[@name='root']")
    assert str(root.get("value")).startswith("Pod/shop/web-0: ")


def test_by_option_each_finding_is_a_test_case(cluster: Run) -> None:
    """What is broken fails, what is known is skipped, a warning passes with its text as output."""
    assert cluster(*CHOSEN, "--junit-per-finding", checks=CHECKS).ret == 1
    assert counts() == ("6", "1", "1", "0")
    if xmllint := which("xmllint"):
        assert subprocess.run([xmllint, "--noout", "junit.xml"], check=False).returncode == 0
    found = cases()
    failure = found["startup-error[app-exit] Pod/shop/web-0"].find("failure")
    assert failure is not None
    assert str(failure.get("message")).startswith("Pod/shop/web-0: ")
    assert "cannot open config" in str(failure.text)
    skipped = found["startup-error[app-exit] Pod/shop/api-0"].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "known until 9999-01-01: next sprint"
    cart = found["config-mount[dangling-reference] CronJob/shop/cart"]
    assert cart.find("failure") is None
    assert "warning: CronJob/shop/cart" in str(cart.findtext("system-out"))
    assert ("severity", "warning") in properties(cart)
