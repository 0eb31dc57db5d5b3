"""Checks of one's own, as docs/own-checks.md tells, whose examples are run."""

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import kubevitals
from kubevitals import schema_pb2 as pb
from kubevitals.diagnosis.verdict import Outcome
from kubevitals.errors import EXIT_NOT_OBSERVED
from tests.fake_server import ApiServer, Handler, Reply
from tests.fakes import list_bytes, status_json
from tests.own_checks import DEPLOYMENTS, DOCUMENT, PODS, ROOT, Look, item, report

pytest_plugins = ["pytester"]

PATH = "/apis/apps/v1/deployments"
SECRET = "password=hunter2"


def deployment(name: str, available: int, **annotations: str) -> dict[str, object]:
    metadata = {"name": name, "namespace": "shop", "uid": name, "creationTimestamp": "2026-02-28T12:00:00Z"}
    status = {"availableReplicas": available, "unread": SECRET} if available else {}
    return {"metadata": metadata | {"annotations": annotations}, "spec": {"replicas": 3}, "status": status}


def listed_as(*items: dict[str, object], kind: str = "DeploymentList", version: str = "apps/v1") -> dict[str, object]:
    return {"kind": kind, "apiVersion": version, "metadata": {}, "items": items}


@pytest.fixture
def deployments(healthy: ApiServer) -> ApiServer:
    """A cluster with a Deployment that is down and one that lacks a replica."""
    listed = json.dumps(listed_as(deployment("down", 0), deployment("slow", 2), deployment("ok", 3)))

    def answer(handler: Handler) -> None:
        as_json = handler.headers["Accept"] == "application/json"
        handler.send(Reply(listed.encode() if as_json else list_bytes()))

    healthy.script(PATH, answer)
    return healthy


# --- the examples ---


def test_the_examples_judge_a_recording(look: Look) -> None:
    result = look("--snapshot=demo-all")
    assert result.ret == 1
    assert {i.check: i.outcome for i in report().items} == {
        "bare-pod[running]": Outcome.WARNED,
        "bare-pod[lost]": Outcome.BROKEN,
        "deployment-replicas[down]": Outcome.NOT_OBSERVED,
        "deployment-replicas[too-few]": Outcome.NOT_OBSERVED,
    }
    assert "with the fields that the check declares" in item("deployment-replicas[down]").unseen


def test_a_declared_kind_is_listed_once_and_judged(look: Look, deployments: ApiServer) -> None:
    assert look().ret == 1
    assert item("deployment-replicas[down]").outcome is Outcome.BROKEN
    assert item("deployment-replicas[too-few]").outcome is Outcome.WARNED
    found = {found.check: found for found in report().findings}
    assert found["deployment-replicas[down]"].places[0].object == "Deployment/shop/down"
    assert found["deployment-replicas[too-few]"].evidence == ["2 of 3 replicas are available"]
    assert len([None for _, headers in deployments.requests if headers["Accept"] == "application/json"]) == 1


def test_a_recording_holds_what_was_declared_and_nothing_more(look: Look, deployments: ApiServer, own: Path) -> None:
    look("--record=cluster.recording")
    recorded = report().findings
    assert b"hunter2" not in gzip.decompress(Path("cluster.recording").read_bytes())
    look("--snapshot=cluster.recording")
    assert report().findings == recorded
    changed = DEPLOYMENTS.replace(
        "availableReplicas: int = 0", "availableReplicas: int = 0\n    readyReplicas: int = 0"
    )
    (own / "test_deployment_replicas.py").write_text(changed)
    look("--snapshot=cluster.recording")
    assert item("deployment-replicas[down]").outcome is Outcome.NOT_OBSERVED


def test_texts_of_a_declared_kind_are_redacted_when_they_are_recorded(
    look: Look, healthy: ApiServer, own: Path
) -> None:
    listed = listed_as(deployment("down", 0, note=SECRET))
    healthy.script(PATH, Reply(json.dumps(listed).encode()))
    (own / "test_deployment_replicas.py").write_text(
        DEPLOYMENTS.replace(
            "class Deployment(", "class Meta(Metadata):\n    annotations: dict[str, str] = {}\n\n\nclass Deployment("
        )
        .replace("    spec: Spec = Spec()", "    metadata: Meta = Meta()\n    spec: Spec = Spec()")
        .replace("    Kind,\n", "    Kind,\n    Metadata,\n")
    )
    look("--record=cluster.recording", "-k", "replicas")
    assert item("deployment-replicas[down]").outcome is Outcome.BROKEN
    content = gzip.decompress(Path("cluster.recording").read_bytes())
    assert b"password=[redacted]" in content
    assert b"hunter2" not in content


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Reply(status_json("deployments.apps is forbidden"), 403), "forbidden"),
        (Reply(b"<html>Sign in</html>"), "not a list of Deployment in JSON"),
        (Reply(b'{"items": [{"spec": {"replicas": "three"}}]}'), r"not a list of Deployment in JSON: Expected `int`"),
        (Reply(b'{"items": [{"metadata": {"creationTimestamp": "soon"}}]}'), "not a list of Deployment in JSON"),
        (Reply(b'{"items": ' + b"[" * 100_000), "not a list of Deployment in JSON"),
        (Reply(b'{"items": [{"metadata": {"name": "\xff"}}]}'), "not a list of Deployment in JSON"),
        (Reply(b'{"items": []}'), "in JSON: it is of no kind"),
        (Reply(json.dumps(listed_as(kind="Status", version="v1")).encode()), "it is a Status of v1"),
        (Reply(json.dumps(listed_as(version="apps/v2")).encode()), "it is a DeploymentList of apps/v2"),
    ],
)
def test_what_is_no_such_list_is_not_observed(look: Look, healthy: ApiServer, answer: Reply, words: str) -> None:
    healthy.script(PATH, answer)
    assert look("-k", "replicas", "--require-observed").ret == EXIT_NOT_OBSERVED
    seen = item("deployment-replicas[down]")
    assert seen.outcome is Outcome.NOT_OBSERVED
    assert re.search(words, seen.unseen)
    assert seen.right == ("list deployments.apps" if answer.status == 403 else "")


# --- every option and report ---


def test_options_and_reports_treat_them_like_shipped_ones(look: Look, deployments: ApiServer) -> None:
    known = 'check = "deployment-replicas"\nobject = "Deployment/shop/down"\nreason = "soon"\nuntil = 9999-01-01\n'
    Path("known-issues.toml").write_text(f"[[issue]]\n{known}")
    assert look("--fail-on=warning", "--threshold=deployment-replicas.settled=2d").ret == 0
    assert look("-k", "replicas").ret == 0
    assert item("deployment-replicas[down]").outcome is Outcome.KNOWN
    assert look("--fail-on=warning", "-m", "cause(chapter='5.2')").ret == 1
    assert {i.chapter for i in report().items} == {"5.2"}
    page = Path("reports/health.html").read_text()
    assert "Deployment/shop/slow" in page
    assert "5.2" in page
    assert 'cause="deployment-replicas",variant="too-few"' in Path("metrics.prom").read_text()
    assert "deployment" in Path("summary.md").read_text()
    assert "deployment" in ET.tostring(ET.parse("junit.xml").getroot(), "unicode")
    result = look("--compare=findings.json", "--only-new", "--fail-on=warning", "-k", "replicas")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["since *: 0 new, 2 ongoing, 0 resolved"])


def test_namespaces_that_are_chosen_are_listed_alone(look: Look, deployments: ApiServer) -> None:
    deployments.serve("/api/v1/namespaces", pb.Namespace(metadata=pb.ObjectMeta(name="shop")))
    look("--namespace=shop", "-k", "replicas")
    asked = [path for path, headers in deployments.requests if headers["Accept"] == "application/json"]
    assert [path.partition("?")[0] for path in asked] == ["/apis/apps/v1/namespaces/shop/deployments"]


def test_what_explains_them_is_their_root(look: Look) -> None:
    look(ROOT / "checks/test_storage_full.py", "--snapshot=demo-all")
    found = {f.id: f for f in report().findings}
    roots = {found[f.root].check for f in found.values() if f.check == "bare-pod[lost]" and f.root}
    assert roots == {"storage-full[evicted]"}


# --- packages ---


@pytest.fixture
def package(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package that brings checks."""
    site = pytester.mkdir("site")
    checks = site / "acme_checks" / "checks"
    checks.mkdir(parents=True)
    for folder in (checks, checks.parent):
        (folder / "__init__.py").touch()
    (checks / "test_bare_pod.py").write_text(PODS)
    (site / "acme_checks-1.0.dist-info").mkdir()
    (site / "acme_checks-1.0.dist-info" / "METADATA").write_text("Name: acme-checks\nVersion: 1.0\n")
    points = re.search(r'\[project.entry-points."(.*)"\]\n(\w+) = "(.*)"', DOCUMENT)
    assert points
    declared = f"[{points[1]}]\n{points[2]} = {points[3]}\n"
    (site / "acme_checks-1.0.dist-info" / "entry_points.txt").write_text(declared)
    monkeypatch.syspath_prepend(site)
    return site


@pytest.mark.parametrize("arguments", [["acme_checks.checks"], ["kubevitals.checks", "--installed-checks"]], ids=str)
@pytest.mark.usefixtures("package")
def test_checks_of_an_installed_package_are_run(pytester: pytest.Pytester, arguments: list[str]) -> None:
    pytester.runpytest_inprocess("--pyargs", *arguments, "--snapshot=demo-all", "--findings=findings.json")
    assert item("bare-pod[lost]").outcome is Outcome.BROKEN
    assert (len(report().items) > 10) == (arguments[0] == "kubevitals.checks")


@pytest.mark.parametrize(
    ("value", "words"),
    [("", "no installed package has checks"), ("acme_checks.absent", "do not exist"), ("absent.x", "No module named")],
)
def test_installed_checks_that_are_not_there_are_told_of(
    pytester: pytest.Pytester, package: Path, value: str, words: str
) -> None:
    points = package / "acme_checks-1.0.dist-info" / "entry_points.txt"
    points.write_text(f"[kubevitals.checks]\nacme = {value}\n" if value else "")
    result = pytester.runpytest_inprocess("--installed-checks", "--snapshot=demo-all", package)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = filter(None, result.errlines)
    assert words in line


# --- the interface ---


def test_the_interface_is_what_its_page_says() -> None:
    """A change of it changes docs/api.md: it is seen, and weighed against what own-checks.md promises."""
    made = subprocess.run(
        [sys.executable, "-m", "manual.api"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    assert (ROOT / "docs/api.md").read_text() == made
    assert f"`kubevitals.API_VERSION` is {kubevitals.API_VERSION}" in DOCUMENT
    assert "\n\n\n" not in made, "something has no docstring"
