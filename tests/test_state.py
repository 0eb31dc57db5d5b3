"""--state: which findings there were and since when, in a ConfigMap of the cluster, and nothing else there."""

import json
from datetime import timedelta

import msgspec
import pytest

from kubevitals.diagnosis.history import History
from kubevitals.diagnosis.result import ClusterInfo
from kubevitals.diagnosis.state import decoded, encoded
from kubevitals.errors import NotObserved, Unusable
from kubevitals.reports.wording import past_line
from kubevitals.source.config_map import KEY, LIMIT
from tests.fake_server import ApiServer, Handler, Reply
from tests.fakes import NOW
from tests.findings import finding, report_of, verdict
from tests.runs import Run

pytest_plugins = ["pytester"]

HERE = ClusterInfo("production", "uid-1")
YESTERDAY = NOW - timedelta(days=1)
SECRET = "postgres://user:hunter2@db"


def yesterday(*names: str) -> str:
    """Return the state of yesterday's run."""
    report = report_of(verdict("a[b]", *(finding(name, says=SECRET, evidence=[SECRET]) for name in names)))
    findings = [msgspec.structs.replace(found, first_seen=YESTERDAY) for found in report.findings]
    report = msgspec.structs.replace(report, findings=findings, cluster=HERE, taken=YESTERDAY)
    return encoded(report, LIMIT).text


def test_findings_are_compared_by_their_identities() -> None:
    now = report_of(verdict("a[b]", finding("Node/b")), history=decoded(yesterday("Node/a", "Node/b"), HERE))
    assert [(found.status, found.first_seen) for found in now.findings] == [("ongoing", YESTERDAY)]
    assert now.comparison
    assert list(map(past_line, now.comparison.resolved)) == ["Node/a  [a[b]]"]


def test_it_holds_no_sentence_and_no_evidence() -> None:
    assert set(json.loads(yesterday("Node/a"))["findings"][0]) == {"id", "check", "object", "severity", "first_seen"}
    assert "hunter2" not in yesterday("Node/a")


def test_what_could_not_be_seen_is_kept() -> None:
    history = decoded(yesterday("Pod/shop/web"), HERE)
    blind = report_of(verdict("a[b]", unseen=NotObserved("forbidden")), history=history)
    again = decoded(encoded(msgspec.structs.replace(blind, cluster=HERE), LIMIT).text, HERE)
    (found,) = report_of(verdict("a[b]", finding("Pod/shop/web")), history=again).findings
    assert (found.status, found.first_seen) == ("ongoing", YESTERDAY)


def test_it_is_bounded() -> None:
    report = report_of(verdict("a[b]", *(finding(f"Node/{number}") for number in range(50))))
    state = encoded(report, 2_000)
    assert 1_500 < len(state.text.encode()) <= 2_000
    assert len(json.loads(state.text)["findings"]) + state.left_out == 50
    assert encoded(report, LIMIT).left_out == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "does not hold the state"),
        ('{"replicas": 3}', "does not hold the state"),
        (yesterday("Node/a").replace('"schema":1', '"schema":2'), "written by a newer kubevitals"),
        (yesterday("Node/a").replace("uid-1", "uid-2"), "about another cluster, production"),
    ],
    ids=["cut off", "foreign", "newer", "another cluster"],
)
def test_another_text_is_not_used(text: str, message: str) -> None:
    with pytest.raises(Unusable, match=message):
        decoded(text, HERE)
    assert decoded("", HERE).report is History().report is None


# --- in a cluster ---

PATH = "/api/v1/namespaces/kubevitals/configmaps/state"
STATE = "--state=configmap/kubevitals/state"


class StateServer:
    """A ConfigMap that is read and patched.

    Attributes:
        status: of the answer to a PATCH.
        patches: the bodies of all PATCH requests.
    """

    def __init__(self, server: ApiServer, status: int = 200) -> None:
        self.status, self.data, self.patches = status, {"other": "stays"}, list[dict[str, object]]()
        server.script(PATH, self.answer)

    def answer(self, handler: Handler) -> None:
        if handler.command == "PATCH":
            patch = json.loads(handler.content)
            self.patches.append(patch)
            if self.status != 200:
                handler.send(Reply(b'{"message": "configmaps is forbidden: no"}', status=self.status))
                return
            self.data |= patch["data"]
        content = {"kind": "ConfigMap", "metadata": {"name": "state", "resourceVersion": "7"}, "data": self.data}
        handler.send(Reply(json.dumps(content).encode()))


def test_a_run_reads_and_patches_the_config_map(run: Run, broken: ApiServer) -> None:
    state = StateServer(broken)
    first = run(STATE, "--only-new", checks=["startup-error"])
    assert first.ret == 1
    assert f"{STATE.replace('=', ' ')}: no earlier run to compare with" in first.stdout.str()
    assert [patch["metadata"] for patch in state.patches] == [{"resourceVersion": "7"}]
    assert set(state.data) == {"other", KEY}
    second = run(STATE, "--only-new", checks=["startup-error"])
    assert second.ret == 0
    assert "0 new, 1 ongoing, 0 resolved" in second.stdout.str()


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (
            403,
            "is not written, so the next run compares with an older one: configmaps is forbidden: no (missing right: ",
        ),
        (409, "is not written, so the next run compares with an older one: another run, or a user, has changed it"),
    ],
)
def test_a_write_that_is_refused_is_said_and_fails_nothing(
    run: Run, broken: ApiServer, status: int, message: str
) -> None:
    StateServer(broken, status)
    result = run(STATE, "--exitfirst", checks=["volume-claim"])
    assert message in result.stdout.str()
    assert result.ret == 0


def test_a_config_map_that_cannot_be_used_is_not_written(run: Run, broken: ApiServer) -> None:
    state = StateServer(broken)
    state.data[KEY] = "replicas: 3"
    result = run(STATE, checks=["volume-claim"])
    assert "is not used, so nothing is compared or kept: it does not hold the state" in result.stdout.str()
    broken.script(PATH, Reply(b'{"message": "not found"}', status=404))
    result = run(STATE, checks=["volume-claim"])
    assert "is not read, so nothing is compared or kept: get configmaps/state in namespace kubevitals: HTTP 404" in (
        result.stdout.str()
    )
    assert (result.ret, state.patches) == (0, [])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--state=state"], "give configmap/NAMESPACE/NAME"),
        (["--state=configmap/a/../b"], "give configmap/NAMESPACE/NAME"),
        ([STATE, "--history=runs"], "--state and --history both name the earlier run: omit one of them"),
        ([STATE, "--snapshot=demo"], "--state needs a cluster"),
    ],
)
def test_options_that_contradict_it_are_refused(run: Run, broken: ApiServer, options: list[str], message: str) -> None:
    result = run(*options, checks=["volume-claim"])
    assert result.ret == 4
    assert message in result.stderr.str()
