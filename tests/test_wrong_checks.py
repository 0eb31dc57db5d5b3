"""What docs/own-checks.md says of checks of one's own that are wrong."""

import re
from pathlib import Path

import pytest

from kubevitals.diagnosis.verdict import Outcome
from tests.own_checks import ROOT, Look, item, report

pytest_plugins = ["pytester"]

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
YIELDS = "yield Finding(Ref('Pod', 'shop', 'web'), says='is broken', remedy='fix it')"

BADLY_DECLARED = {
    "no section": (("Impact:\n    b\n", ""), r"the docstring of its file has no section Impact:"),
    "no docstring": (('    """It is well."""', "    pass"), "it needs a docstring that says what is healthy"),
    "rule undocumented": (('    """Find it."""\n', ""), "the rule rule needs a docstring"),
    "no rules": (("@check(rule)", "@check()"), r"it has no rules: write @check\(a_rule, another_rule\)"),
    "check without a call": (("@check(rule)", "@check"), "declares no rules"),
    "a name": (("@check(rule)", "@check('rule')"), "'rule' is not a function"),
    "twice": (("@check(rule)", "@check(rule, rule)"), "the variant rule is declared 2 times"),
    "arguments": (("def test_it()", "def test_it(cluster)"), "it must not take arguments"),
    "rule without cluster": (("def rule(cluster)", "def rule()"), "the rule rule must take one argument, the cluster"),
    "misnamed": (("def test_it", "def it"), "its name must begin with test_"),
    "no syntax": (("def rule", "def def rule"), "SyntaxError: invalid syntax"),
    "no module": (("from kubevitals import", "import absent\nfrom kubevitals import"), "No module named 'absent'"),
    "secrets": (("def rule", "Kind('/api/v1/secrets', Resource, namespaced=True)\ndef rule"), "never requested"),
    "no path": (("def rule", "Kind('ingresses', Resource, namespaced=True)\ndef rule"), "is not the path of a list"),
    "a cause for a tuple": (("def rule", "Explains('a', SAME_NODE, ('b',))\ndef rule"), r"Explains\(roots='a'\): give"),
    "no relation": (("def rule", "Explains(('a',), 'node', ('b',))\ndef rule"), r"Explains\(on='node'\): give a rel"),
    "no pattern": (
        ("def rule", "Explains(('a',), SAME_NODE, ('b',), words='(')\ndef rule"),
        "is not a regular expression: missing",
    ),
    "no resource": (("def rule", "Kind('/api/v1/pods', Cluster, namespaced=True)\ndef rule"), "is not a class derived"),
}


def test_files_that_are_wrong_are_told_of_in_one_line_each_and_harm_no_other(look: Look, own: Path) -> None:
    content = MINIMAL.format(body=YIELDS)
    for what, (change, _) in BADLY_DECLARED.items():
        assert change[0] in content, what
        _file(own, what).write_text(content.replace(*change, 1))
    result = look("--snapshot=demo-all")
    assert result.ret == 1
    remarks = [remark for remark in report().remarks if "could not be imported" in remark]
    assert len(remarks) == len(BADLY_DECLARED)
    for what, (_, words) in BADLY_DECLARED.items():
        (remark,) = [remark for remark in remarks if f"{_file(own, what).name} could not be imported" in remark]
        assert re.search(words, remark), (what, remark)
    assert sorted(report().unjudged) == sorted(map(_cause, BADLY_DECLARED))
    assert item("bare-pod[lost]").outcome is Outcome.BROKEN


def _file(folder: Path, what: str) -> Path:
    """Return the file of a check that is wrong in this way."""
    return folder / f"test_wrong_{what.lower().replace(' ', '_')}.py"


def _cause(what: str) -> str:
    return f"wrong-{what.lower().replace(' ', '-')}"


FAILS = {
    "raises": (
        "raise KeyError('\\x1b[31m' + 'x' * 5000)\n    yield",
        r"at test_wrong_raises\.py:\d+, in rule: KeyError: ",
    ),
    "returns nothing": ("cluster.nodes", "rule returns None; it must yield findings"),
    "yields a text": ("yield 'broken'", "rule yields 'broken', which is not a Finding"),
    "an object for its name": ("yield Finding(cluster.nodes[0], 'a', 'b')", r"must be a Ref and .* ref\(…\) returns"),
    "a number for a text": ("yield Finding(Ref('Node', '', 'a'), 7, 'b')", "a field of Finding must be a str and is 7"),
    "a time": ("yield Finding(Ref('Node', '', 'a'), 'x', 'b', since=cluster.now)", "must be a int"),
    "no severity": ("yield Finding(Ref('Node', '', 'a'), 'x', 'b', severity='fatal')", "'fatal' is not a valid"),
    "a list that is none": ("yield from cluster.gateways", "a cluster has no gateways; its lists are all_events, "),
    "a field that is not read": (
        "cluster.nodes[0].secret",
        "kubevitals reads metadata, spec, status of a Node, not secret",
    ),
    "asserts": ("assert not cluster.pods", "AssertionError"),
    "exits": ("raise SystemExit(0)", "SystemExit"),
}


def test_a_rule_that_fails_itself_is_an_error_of_its_item_alone(look: Look, own: Path) -> None:
    for what, (body, _) in FAILS.items():
        _file(own, what).write_text(MINIMAL.format(body=body))
    result = look("--snapshot=demo-all")
    assert result.ret == 1
    assert "Traceback" not in result.stdout.str()
    assert "\x1b" not in result.stdout.str() + Path("reports/health.html").read_text() + Path("junit.xml").read_text()
    remarks = [remark for remark in report().remarks if "the check crashed" in remark]
    assert len(remarks) == len(FAILS)
    for what, (_, words) in FAILS.items():
        (remark,) = [remark for remark in remarks if remark.startswith(f"{_cause(what)}[rule]: ")]
        assert re.search(words, remark), (what, remark)
        assert len(remark) < 1100
    assert sorted(report().unjudged) == sorted(f"{_cause(what)}[rule]" for what in FAILS)
    assert item("bare-pod[lost]").outcome is Outcome.BROKEN


REFUSED = {
    "a cause twice": ({"test_node_ready.py": MINIMAL}, "both declare the cause node-ready: rename or omit one"),
    "a variant twice": (
        {"test_a.py": MINIMAL + '\n\n@check(rule)\ndef test_that():\n    """It is well."""\n'},
        r"a\[rule\] is declared twice, by .*test_it.* and .*test_that",
    ),
    "a threshold twice": (
        {"test_a.py": MINIMAL.replace("\n\ndef rule", "\nT = Threshold('pod.stuck', 1, 'why')\n\ndef rule")},
        r"two thresholds have the name pod\.stuck: rename one",
    ),
    "only marked": (
        {"test_a.py": MINIMAL.replace("@check(rule)", "import pytest\n@pytest.mark.cause(chapter='1')")},
        "has the marker of a check but is not one: declare it with kubevitals.check",
    ),
}


@pytest.mark.parametrize(("files", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_told_apart_is_refused(look: Look, own: Path, files: dict[str, str], words: str) -> None:
    for name, content in files.items():
        (own / name).write_text(content.format(body=YIELDS))
    result = look(ROOT / "checks/test_node_ready.py", "--snapshot=demo-all")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = filter(None, result.errlines)
    assert re.search(words, line)
    assert not Path("findings.json").exists()


def test_a_test_without_any_check_is_told_that_there_is_no_cluster(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_plain(cluster): assert cluster.nodes")
    result = pytester.runpytest_inprocess()
    result.stdout.fnmatch_lines(["no test here is declared with kubevitals.check, so there is no cluster"])
