"""Checks of one's own, as docs/own-checks.md tells: its examples are run, and what it says of wrong ones is tried."""

import gzip
import json
import re
import subprocess
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import kubevitals
from kubevitals import schema_pb2 as pb
from kubevitals.history import read
from kubevitals.report import Item, Report
from kubevitals.verdict import Outcome
from tests.fakes import ApiServer, Reply, list_bytes, status_json

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs/own-checks.md").read_text()
PODS, DEPLOYMENTS = (code for code in re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL) if "@check" in code)

PATH = "/apis/apps/v1/deployments"
SECRET = "password=hunter2"

Look = Callable[..., pytest.RunResult]


@pytest.fixture
def own(pytester: pytest.Pytester) -> Path:
    """A folder of checks, with those of the documentation."""
    folder = pytester.mkdir("my-checks")
    (folder / "test_bare_pod.py").write_text(PODS)
    (folder / "test_deployment_replicas.py").write_text(DEPLOYMENTS)
    return folder


@pytest.fixture
def look(pytester: pytest.Pytester, own: Path, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Runs the checks of the folder."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))

    def look(*options: str | Path) -> pytest.RunResult:
        files = ("--findings=findings.json", "--metrics=metrics.prom", "--markdown=summary.md", "--junitxml=junit.xml")
        return pytester.runpytest_inprocess(own, "-p", "no:cacheprovider", *files, *options)

    return look


def deployment(name: str, available: int, **annotations: str) -> dict[str, object]:
    metadata = {"name": name, "namespace": "shop", "uid": name, "creationTimestamp": "2026-02-28T12:00:00Z"}
    status = {"availableReplicas": available, "unread": SECRET} if available else {}
    return {"metadata": metadata | {"annotations": annotations}, "spec": {"replicas": 3}, "status": status}


@pytest.fixture
def deployments(healthy: ApiServer) -> ApiServer:
    """A cluster with a Deployment that is down and one that lacks a replica."""
    listed = json.dumps({"metadata": {}, "items": [deployment("down", 0), deployment("slow", 2), deployment("ok", 3)]})

    def answer(handler: BaseHTTPRequestHandler) -> None:
        as_json = handler.headers["Accept"] == "application/json"
        handler.send(Reply(listed.encode() if as_json else list_bytes()))  # type: ignore[attr-defined]

    healthy.script(PATH, answer)
    return healthy


def report() -> Report:
    return read(Path("findings.json"))


def item(check: str) -> Item:
    return next(item for item in report().items if item.check == check)


# --- the examples ---


def test_the_examples_judge_a_recording(look: Look) -> None:
    result = look("--snapshot=demo")
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
    listed = {"items": [deployment("down", 0, note=SECRET)]}
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
        (Reply(b"<html>Sign in</html>"), "no list of Deployment in JSON"),
        (Reply(b'{"items": [{"spec": {"replicas": "three"}}]}'), r"no list of Deployment in JSON: Expected `int`"),
        (Reply(b'{"items": [{"metadata": {"creationTimestamp": "soon"}}]}'), "no list of Deployment in JSON"),
        (Reply(b'{"items": ' + b"[" * 100_000), "no list of Deployment in JSON"),
        (Reply(b'{"items": [{"metadata": {"name": "\xff"}}]}'), "no list of Deployment in JSON"),
    ],
)
def test_what_is_no_such_list_is_not_observed(look: Look, healthy: ApiServer, answer: Reply, words: str) -> None:
    healthy.script(PATH, answer)
    look("-k", "replicas")
    seen = item("deployment-replicas[down]")
    assert seen.outcome is Outcome.NOT_OBSERVED
    assert re.search(words, seen.unseen)
    assert seen.right == ("list deployments.apps" if answer.status == 403 else "")
    assert look("-k", "replicas", "--require-observed").ret == 1


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
    look(ROOT / "checks", "--snapshot=demo")
    found = {f.id: f for f in report().findings}
    roots = {found[f.root].check for f in found.values() if f.check == "bare-pod[lost]" and f.root}
    assert roots == {"storage-full[evicted]"}


# --- what is wrong ---

MINIMAL = '''"""It is so.

Meaning:
    a
Impact:
    b
Diagnosis:
    c
Mitigation:
    d
"""
from kubevitals import SAME_NODE, Cluster, Explains, Finding, Kind, Ref, Resource, Threshold, check


def rule(cluster):
    """Find it."""
    {body}


@check(rule)
def test_it():
    """It is well."""
'''
YIELDS = "yield Finding(Ref('Pod', 'shop', 'web'), says='is broken', remedy='mend it')"

BADLY_DECLARED = {
    "no section": (("Impact:\n    b\n", ""), r"the docstring of its file has no section Impact:"),
    "no docstring": (('    """It is well."""', "    pass"), "it has no docstring, which states what is healthy"),
    "rule undocumented": (('    """Find it."""\n', ""), "the rule rule has no docstring"),
    "no rules": (("@check(rule)", "@check()"), r"it has no rules: @check\(a_rule, another\)"),
    "check without a call": (("@check(rule)", "@check"), "declares no rules"),
    "a name": (("@check(rule)", "@check('rule')"), "'rule' is no function"),
    "twice": (("@check(rule)", "@check(rule, rule)"), "the variant rule is declared 2 times"),
    "arguments": (("def test_it()", "def test_it(cluster)"), "it takes no arguments"),
    "rule without cluster": (("def rule(cluster)", "def rule()"), "the rule rule must take one argument, the cluster"),
    "misnamed": (("def test_it", "def it"), "its name must begin with test_"),
    "no syntax": (("def rule", "def def rule"), "SyntaxError: invalid syntax"),
    "no module": (("from kubevitals import", "import absent\nfrom kubevitals import"), "No module named 'absent'"),
    "secrets": (("def rule", "Kind('/api/v1/secrets', Resource, namespaced=True)\ndef rule"), "never asked for"),
    "no path": (("def rule", "Kind('ingresses', Resource, namespaced=True)\ndef rule"), "is no path of a list"),
    "a cause for a tuple": (("def rule", "Explains('a', SAME_NODE, ('b',))\ndef rule"), r"Explains\(roots='a'\): give"),
    "no relation": (("def rule", "Explains(('a',), 'node', ('b',))\ndef rule"), r"Explains\(on='node'\): give a rel"),
    "no pattern": (("def rule", "Explains(('a',), SAME_NODE, ('b',), words='(')\ndef rule"), "is no pattern: missing"),
    "no resource": (("def rule", "Kind('/api/v1/pods', Cluster, namespaced=True)\ndef rule"), "is no class derived"),
}


@pytest.mark.parametrize(("change", "words"), BADLY_DECLARED.values(), ids=BADLY_DECLARED)
def test_a_file_that_is_wrong_is_told_of_in_one_line_and_harms_no_other(
    look: Look, own: Path, change: tuple[str, str], words: str
) -> None:
    content = MINIMAL.format(body=YIELDS)
    assert change[0] in content
    (own / "test_wrong.py").write_text(content.replace(*change, 1))
    result = look("--snapshot=demo")
    assert result.ret == 1
    (remark,) = [remark for remark in report().remarks if "could not be imported" in remark]
    assert re.search(words, remark), remark
    assert report().unjudged == ["wrong"]
    assert item("bare-pod[lost]").outcome is Outcome.BROKEN


FAILS = {
    "raises": ("raise KeyError('\\x1b[31m' + 'x' * 5000)\n    yield", r"at test_wrong\.py:\d+, in rule: KeyError: "),
    "returns nothing": ("cluster.nodes", "rule returns None, and must yield findings"),
    "yields a text": ("yield 'broken'", "rule yields 'broken', which is no Finding"),
    "an object for its name": ("yield Finding(cluster.nodes[0], 'a', 'b')", r"where a Ref belongs; ref\(…\) gives"),
    "a number for a text": ("yield Finding(Ref('Node', '', 'a'), 7, 'b')", "a Finding has 7 where a str belongs"),
    "a time": ("yield Finding(Ref('Node', '', 'a'), 'x', 'b', since=cluster.now)", "where a int belongs"),
    "no severity": ("yield Finding(Ref('Node', '', 'a'), 'x', 'b', severity='fatal')", "'fatal' is not a valid"),
    "a list that is none": ("yield from cluster.ingresses", "a cluster has no ingresses; its lists are all_events, "),
    "a field that is not read": (
        "cluster.nodes[0].secret",
        "of Node kubevitals reads metadata, spec, status, not secret",
    ),
    "asserts": ("assert not cluster.pods", "AssertionError"),
    "exits": ("raise SystemExit(0)", "SystemExit"),
}


@pytest.mark.parametrize(("body", "words"), FAILS.values(), ids=FAILS)
def test_a_rule_that_fails_itself_is_an_error_of_its_item_alone(look: Look, own: Path, body: str, words: str) -> None:
    (own / "test_wrong.py").write_text(MINIMAL.format(body=body))
    result = look("--snapshot=demo")
    assert result.ret == 1
    assert "Traceback" not in result.stdout.str()
    assert "\x1b" not in result.stdout.str() + Path("reports/health.html").read_text() + Path("junit.xml").read_text()
    (remark,) = [remark for remark in report().remarks if "failed itself" in remark]
    assert re.search(words, remark), remark
    assert len(remark) < 1100
    assert report().unjudged == ["wrong[rule]"]
    assert item("bare-pod[lost]").outcome is Outcome.BROKEN


REFUSED = {
    "a cause twice": ({"test_node_ready.py": MINIMAL}, "both of the cause node-ready: rename one"),
    "a variant twice": (
        {"test_a.py": MINIMAL + '\n\n@check(rule)\ndef test_that():\n    """It is well."""\n'},
        r"a\[rule\] is declared by .*test_it.* and by .*test_that",
    ),
    "a threshold twice": (
        {"test_a.py": MINIMAL.replace("\n\ndef rule", "\nT = Threshold('pod.stuck', 1, 'why')\n\ndef rule")},
        r"two thresholds are called pod\.stuck: rename one",
    ),
    "only marked": (
        {"test_a.py": MINIMAL.replace("@check(rule)", "import pytest\n@pytest.mark.cause(chapter='1')")},
        "is marked as a check and is none: declare it with kubevitals.check",
    ),
}


@pytest.mark.parametrize(("files", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_told_apart_is_refused(look: Look, own: Path, files: dict[str, str], words: str) -> None:
    for name, content in files.items():
        (own / name).write_text(content.format(body=YIELDS))
    result = look(ROOT / "checks", "--snapshot=demo")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = filter(None, result.errlines)
    assert re.search(words, line)
    assert not Path("findings.json").exists()


def test_a_test_without_any_check_is_told_that_there_is_no_cluster(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_plain(cluster): assert cluster.nodes")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["there is no cluster to look at: no test here is declared with kubevitals.check"])


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
    monkeypatch.setenv("PYTHONPATH", f"{site}:{':'.join(sys.path)}")
    return site


@pytest.mark.parametrize("arguments", [["acme_checks.checks"], ["kubevitals.checks", "--installed-checks"]], ids=str)
def test_checks_of_an_installed_package_are_run(package: Path, arguments: list[str]) -> None:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--pyargs", *arguments, "--snapshot=demo"]
    subprocess.run([*command, "--findings=findings.json"], check=False, capture_output=True)
    assert item("bare-pod[lost]").outcome is Outcome.BROKEN
    assert (len(report().items) > 10) == (arguments[0] == "kubevitals.checks")


@pytest.mark.parametrize(
    ("value", "words"),
    [("", "no installed package has checks"), ("acme_checks.absent", "are not there"), ("absent.x", "No module named")],
)
def test_installed_checks_that_are_not_there_are_told_of(package: Path, value: str, words: str) -> None:
    points = package / "acme_checks-1.0.dist-info" / "entry_points.txt"
    points.write_text(f"[kubevitals.checks]\nacme = {value}\n" if value else "")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--installed-checks", "--snapshot=demo"]
    result = subprocess.run([*command, str(package)], check=False, capture_output=True, text=True)
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    (line,) = filter(None, result.stderr.splitlines())
    assert words in line


# --- the interface ---


def test_the_interface_is_what_its_page_says() -> None:
    """A change of it changes docs/api.md: it is seen, and weighed against what own-checks.md promises."""
    made = subprocess.run([sys.executable, ROOT / "tools/api"], check=True, capture_output=True, text=True).stdout
    assert (ROOT / "docs/api.md").read_text() == made
    assert f"`kubevitals.API_VERSION` is {kubevitals.API_VERSION}" in DOCUMENT
    assert "\n\n\n" not in made, "something has no docstring"
