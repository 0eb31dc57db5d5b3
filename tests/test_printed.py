"""Every text field of every object is changed into one that acts where it is printed: no report prints it as it is."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import settings

from kubevitals.diagnosis.assemble import assemble
from kubevitals.diagnosis.known_issues import KnownIssues
from kubevitals.diagnosis.run import Inputs, Run
from kubevitals.errors import NotObserved
from kubevitals.findings.explains import declared
from kubevitals.findings.finding import Finding, Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref
from kubevitals.reports.failure import Failure
from kubevitals.reports.github import annotations, groups
from kubevitals.reports.html.page import render
from kubevitals.reports.junit import properties
from kubevitals.reports.markdown import markdown
from kubevitals.reports.metrics import openmetrics
from kubevitals.reports.terminal import header, lines_of
from kubevitals.source.recording import DEMOS, Snapshot
from kubevitals.source.request import Answer, Request
from kubevitals.text import clean
from scenarios.harness import MANIFESTS, RECORDINGS, check_modules, rules, verdicts
from tests.findings import TODAY

ACTS = "\x1b]0;x\x07\x9b2J\u202e\n##vso[x]##teamcity[x]##[x]"

THOROUGH = settings.default is settings.get_profile("thorough")

RECORDING, GROUPS = (RECORDINGS / f"{MANIFESTS}.recording", 24) if THOROUGH else (DEMOS["demo"], 3)
"""Fields are changed in groups, since what no longer fits together is not found."""


class Acting(Snapshot):
    """A recorded cluster, in whose objects a group of fields has texts that act."""

    def __init__(self, group: int) -> None:
        super().__init__(RECORDING)
        self._group = group
        self._lists: dict[str, Answer] = {}

    def get(self, request: Request) -> Answer:
        """Return a changed list or log, or else what was recorded."""
        if request.path in self._lists:
            return self._lists[request.path]
        answer = super().get(request)
        if "/log?" in request.path:
            return answer._replace(body=answer.body + ACTS.encode())
        for item in answer.page.items:
            if isinstance(item, Message):
                self._change(item)
        self._lists[request.path] = answer
        return answer

    def _change(self, message: Any) -> None:
        for field, value in message.ListFields():
            is_chosen = sum(field.full_name.encode()) % GROUPS == self._group
            if field.message_type and field.message_type.GetOptions().map_entry:
                for key in [key for key in value if isinstance(value[key], str) and is_chosen]:
                    value[key] += ACTS
            elif field.message_type:
                for child in value if field.is_repeated else [value]:
                    self._change(child)
            elif field.type == FieldDescriptor.TYPE_STRING and is_chosen:
                changed = [text + ACTS for text in value] if field.is_repeated else value + ACTS
                if field.is_repeated:
                    value[:] = changed
                else:
                    setattr(message, field.name, changed)


class Terminal:
    """What is written to a terminal."""

    fullwidth, verbosity = 200, 9

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._tw = self

    def line(self, text: str = "", **_: bool) -> None:
        self.lines.append(text)


def printed(run: Run) -> Iterator[str]:
    """Yield the lines of all outputs."""
    report = run.report = assemble(run)
    terminal: Any = Terminal()
    yield from header(run.cluster, terminal)
    for line in lines_of(run, 200):
        yield from line.rows(200)
    for verdict in run.verdicts:
        if verdict.all_findings or verdict.unseen:
            failure = Failure(verdict)
            failure.toterminal(terminal)
            yield failure.reprcrash.message
        yield from (text for pair in properties(verdict) for text in pair)
    yield from terminal.lines
    yield from (*annotations(report), *groups(report, "token"))
    for text in (markdown(report), openmetrics(report), msgspec.json.encode(report).decode()):
        yield from text.split("\n")
    yield from render(report).split("\n")


@pytest.mark.parametrize("group", range(GROUPS))
def test_no_text_of_an_object_acts_where_it_is_printed(group: int) -> None:
    cluster = Cluster(Acting(group), secret_names=True)
    causes = frozenset(cause for cause, _ in rules())
    inputs = Inputs(cluster, KnownIssues([], TODAY), Severity.ERROR, causes, rules=declared(check_modules().values()))
    lines = list(printed(Run(inputs, verdicts(cluster))))
    assert [line for line in lines if acts(line)] == []
    assert any("x1b]0;x" in line for line in lines)


def acts(line: str) -> bool:
    commands = ("##vso[", "##teamcity[", "##[")
    return any(text in line for text in commands) or not line.replace("\t", "").isprintable()


def test_a_remark_is_as_clean_as_a_finding() -> None:
    cluster = Cluster(Snapshot(DEMOS["demo"]))
    cluster.remarks.append(ACTS)
    run = Run(Inputs(cluster, KnownIssues([], TODAY), Severity.ERROR, frozenset()), remarks=[ACTS])
    assert [line for line in printed(run) if acts(line)] == []


def test_an_owner_is_as_clean_as_its_pod() -> None:
    finding = Finding(Ref("Pod", "shop", ACTS), ACTS, ACTS, [ACTS], owner=Ref(ACTS, ACTS, ACTS))
    assert not acts(f"{finding.owner}{finding.obj}{finding.says}{finding.remedy}{finding.look}{finding.evidence}")
    assert not acts(str(NotObserved(ACTS, ACTS)))


@pytest.mark.parametrize("text", ["##VSO[task]", "a ##vso[x", "##teamcity[x]", "##[group]", "####[x]"])
def test_commands_of_other_systems_are_none(text: str) -> None:
    assert not acts(clean(text).lower())
    assert clean(clean(text)) == clean(text)


def test_a_heading_stays_as_it_is() -> None:
    assert clean("## pods [2]") == "## pods [2]"
