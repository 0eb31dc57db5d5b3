"""How full a node's connection tracking is, and whether it loses connections."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.test_conntrack import entries_lost, settings_differ, table_full
from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.network.kube_proxy_config import PATH, asked_of_nodes
from kubevitals.findings.declaration import Rule
from kubevitals.findings.finding import Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.node_exporter import conntracks
from kubevitals.inventory.probed import MissingReport
from kubevitals.probe.report import Conntrack, ProbeNetwork, ProbeReport, Tracking
from kubevitals.source.recording import Recording, Snapshot
from kubevitals.source.request import Answer, Request
from tests.fakes import Answers, FakeSource, Said, cluster_of
from tests.networks import UseProbe, daemon, daemon_set, exporter, found, judged, node, refused_by_rbac

NODES = [node("one"), node("two")]
CLUSTER = cluster_of(nodes=NODES)
KUBE_PROXY = daemon_set("kube-proxy")


def report(*readings: Conntrack, name: str = "one", network: ProbeNetwork = "host") -> ProbeReport:
    return ProbeReport(name, network, whole=True, conntrack=readings)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (749, []),
        (750, ["Node/one (warning)"]),
        (899, ["Node/one (warning)"]),
        (900, ["Node/one"]),
        (1000, ["Node/one"]),
    ],
)
def test_the_last_reading_counts(use_probe: UseProbe, count: int, expected: list[str]) -> None:
    use_probe([report(Conntrack(0, 1000), Conntrack(count, 1000))])
    assert found(table_full, CLUSTER) == expected


def test_a_table_without_a_maximum_is_not_full(use_probe: UseProbe) -> None:
    use_probe([report(Conntrack(10, 0))])
    assert found(table_full, CLUSTER) == []


@pytest.mark.parametrize("lost", ["dropped", "failed", "evicted"])
def test_only_what_grows_is_lost_now(use_probe: UseProbe, lost: str) -> None:
    use_probe([report(Conntrack(5, 1000, **{lost: 7}), Conntrack(5, 1000, **{lost: 9}))])
    (finding,), unseen = judged(entries_lost, CLUSTER)
    assert unseen is None
    assert str(finding.obj) == "Node/one"
    assert next(iter(finding.evidence)).endswith("2 between two readings, 9 since boot")
    use_probe([report(Conntrack(5, 1000, **{lost: 9}), Conntrack(5, 1000, **{lost: 9}))])
    assert found(entries_lost, CLUSTER) == []


def test_a_pods_own_table_is_not_looked_at(use_probe: UseProbe) -> None:
    use_probe([report(Conntrack(1000, 1000), Conntrack(1000, 1000, 9), network="pod")])
    assert found(table_full, CLUSTER) == []
    assert found(entries_lost, CLUSTER) == []


@pytest.mark.parametrize("rule", [table_full, entries_lost])
def test_a_node_without_a_report_is_not_observed(use_probe: UseProbe, rule: Rule) -> None:
    full = report(Conntrack(1000, 1000), Conntrack(1000, 1000, 5))
    use_probe([full], [MissingReport("two", "host", "probe-x", "ImagePullBackOff")])
    findings, unseen = judged(rule, CLUSTER)
    assert [str(finding.obj) for finding in findings] == ["Node/one"]
    assert "the probe has no result from two: ImagePullBackOff" in str(unseen)


def test_a_node_whose_figures_cannot_be_read_is_not_observed(use_probe: UseProbe) -> None:
    use_probe([report(), report(Conntrack(5, 1000), name="two")])
    assert "connection tracking on one" in str(judged(table_full, CLUSTER)[1])


# --- settings ---

USUAL = Tracking(86400, 3600, 1, 0)


def set_to(*settings: Tracking | None) -> list[ProbeReport]:
    return [ProbeReport(f"node-{n}", "host", whole=True, tracking=one) for n, one in enumerate(settings)]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ([USUAL, Tracking(12, 3600, 1, 0), USUAL], "forgets idle connections after 12s, the other nodes after 1d"),
        ([USUAL, Tracking(12, 3600, 1, 0)], "forgets idle connections after 12s, the other nodes after 1d"),
        (
            [USUAL, Tracking(86400, 60, 1, 0), USUAL],
            "forgets half-closed connections after 1m, the other nodes after 1h",
        ),
        ([USUAL, Tracking(86400, 3600, 0, 0), USUAL], "does not pick up connections"),
        ([Tracking(86400, 3600, 1, 1), USUAL, Tracking(86400, 3600, 1, 1)], "drops packets outside of the TCP window"),
    ],
)
def test_a_node_that_forgets_connections_earlier_than_others(
    use_probe: UseProbe, settings: list[Tracking], says: str
) -> None:
    use_probe(set_to(*settings))
    (finding,), unseen = judged(settings_differ, CLUSTER)
    assert unseen is None
    assert (finding.obj.name, finding.severity) == ("node-1", Severity.WARNING)
    assert says in finding.says


@pytest.mark.parametrize(
    "settings",
    [
        [USUAL, USUAL],
        [Tracking(12, 60, 0, 0)] * 3,
        [USUAL, Tracking(432000, 3600, 1, 1), USUAL],
        [USUAL, Tracking(80000, 3600, 1, 0), USUAL],
        [USUAL, Tracking(), USUAL],
        [Tracking(100, 100, 1, 0), Tracking(1, 1, 1, 0)],
    ],
    ids=["alike", "alike, and short", "longer", "a little shorter", "not readable", "no usual value"],
)
def test_settings_that_do_no_harm(use_probe: UseProbe, settings: list[Tracking]) -> None:
    use_probe(set_to(*settings))
    assert found(settings_differ, CLUSTER) == []


def test_settings_that_cannot_be_read_are_not_observed(use_probe: UseProbe) -> None:
    use_probe(set_to(USUAL, None))
    assert "could not read the settings of connection tracking on node-1" in str(judged(settings_differ, CLUSTER)[1])
    use_probe([])
    assert found(settings_differ, CLUSTER) == []


def test_vital_readings_are_judged_and_the_rest_is_not_observed(use_probe: UseProbe) -> None:
    cut_off = ProbeReport("one", "host", whole=False, conntrack=(Conntrack(99, 100),), unread="timed out")
    use_probe([cut_off])
    findings, unseen = judged(table_full, CLUSTER)
    assert [str(finding.obj) for finding in findings] == ["Node/one"]
    assert "the probe's log on one cannot be read, only its vital readings: timed out" in str(unseen)


# --- without a probe ---

EXPORTERS = [
    exporter("exporter-1", "one", "app.kubernetes.io/name"),
    exporter("exporter-2", "two"),
]
METRICS = "/api/v1/namespaces/kube-system/pods/{}:9100/proxy/metrics"


def metrics(count: str, limit: str = "262144") -> Answer:
    text = f"# HELP x\nnode_nf_conntrack_entries {count}\nnode_nf_conntrack_entries_limit {limit}\nnode_load1 7\n"
    return Answer(200, text.encode())


def exporting(one: Said, two: Said, *, ask: bool = True) -> Cluster:
    paths: Answers = {METRICS.format("exporter-1"): one, METRICS.format("exporter-2"): two}
    made = cluster_of(paths, nodes=NODES, pods=EXPORTERS)
    made.ask_kubelets = ask
    return made


@pytest.mark.usefixtures("no_probe")
def test_node_exporters_are_asked_where_there_are_some() -> None:
    cluster = exporting(metrics("100"), metrics("2.5e+05"))
    assert found(table_full, cluster) == ["Node/two"]


@pytest.mark.usefixtures("no_probe")
def test_without_either_nothing_is_observed() -> None:
    assert "no probe" in str(judged(table_full, CLUSTER)[1])
    assert "no probe" in str(judged(entries_lost, exporting(metrics("1"), metrics("1")))[1])
    assert "--kubelet=none" in str(judged(table_full, exporting(metrics("1"), metrics("1"), ask=False))[1])
    _, unseen = judged(table_full, exporting(refused_by_rbac, metrics("1")))
    assert unseen
    assert (unseen.right, "pods/proxy is refused: --kubelet=direct" in str(unseen)) == ("", True)


@pytest.mark.usefixtures("failed_probe")
def test_that_the_probe_failed_is_not_excused_by_what_was_not_to_be_asked() -> None:
    _, unseen = judged(table_full, exporting(metrics("1"), metrics("1"), ask=False))
    assert unseen
    assert (unseen.right, unseen.unasked) == ("create services", False)


@pytest.mark.usefixtures("no_probe")
def test_a_node_without_an_exporter_is_not_observed() -> None:
    cluster = cluster_of({METRICS.format("exporter-1"): metrics("1")}, nodes=NODES, pods=EXPORTERS[:1])
    assert "no node exporter runs on two" in str(judged(table_full, cluster)[1])


@given(st.binary(max_size=300) | st.text(alphabet="node_f cktris l0123456789e+.\n", max_size=200).map(str.encode))
def test_any_answer_of_an_exporter_is_figures_or_not_observed(body: bytes) -> None:
    cluster = cluster_of({METRICS.format("exporter-1"): Answer(200, body)}, nodes=NODES[:1], pods=EXPORTERS[:1])
    with pytest.raises(NotObserved, match="no figures"):
        list(conntracks(cluster, NotObserved("no probe")))


def test_only_running_exporters_count() -> None:
    gone = pb.Pod.FromString(EXPORTERS[0].SerializeToString())
    gone.status.conditions[0].status = "False"
    with pytest.raises(NotObserved, match="no probe"):
        list(conntracks(cluster_of(pods=[gone]), NotObserved("no probe")))


# --- kube-proxy's configuration ---

CONFIG = """apiVersion: kubeproxy.config.k8s.io/v1alpha1
clientConnection:
  kubeconfig: /var/lib/kube-proxy/kubeconfig.conf
conntrack:
  maxPerCore: null
  min: null
  tcpBeLiberal: {liberal}
  tcpCloseWaitTimeout: {close_wait}
  tcpEstablishedTimeout: {established}
kind: KubeProxyConfiguration
"""


def configured(established: str = "null", close_wait: str = "null", liberal: str = "false") -> Answer:
    text = CONFIG.format(established=established, close_wait=close_wait, liberal=liberal)
    return Answer(200, json.dumps({"data": {"config.conf": text, "kubeconfig.conf": "token: hunter2"}}).encode())


def with_kube_proxy(config: Answer | Said) -> Cluster:
    """Return a cluster with kube-proxy on two of its three nodes."""
    nodes = [node(f"node-{n}") for n in range(3)]
    pods = [daemon(KUBE_PROXY, on) for on in ("node-0", "node-1")]
    return cluster_of({PATH: config}, nodes=nodes, daemon_sets=[KUBE_PROXY], pods=pods)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (configured(established="24h0m0s"), ["node-0: forgets idle connections after 12s, kube-proxy's configuration"]),
        (configured(established="15s"), []),
        (configured(close_wait="1h"), ["node-0: forgets half-closed connections after 1m, kube-proxy's configuration"]),
        (configured(liberal="true"), ["node-0: drops packets outside of the TCP window, which kube-proxy's"]),
        (configured(), []),
        (configured(established="0s"), []),
        (configured(established="soon"), []),
        (Answer(404), []),
        (Answer(200, b'{"data": {"config.conf": "conntrack: {tcpEstablishedTimeout: 24h}"}}'), []),
    ],
    ids=["longer", "about the same", "half-closed", "window", "defaults", "left alone", "no duration", "none", "flow"],
)
def test_all_nodes_may_differ_from_kube_proxys_configuration(
    use_probe: UseProbe, config: Answer, expected: list[str]
) -> None:
    use_probe(set_to(*[Tracking(12, 60, 1, 0)] * 3))
    cluster = with_kube_proxy(config)
    findings, unseen = judged(settings_differ, cluster)
    assert unseen is None
    said = [f"{finding.obj.name}: {finding.says}" for finding in findings]
    assert [one for one in said if any(one.startswith(start) for start in expected)] == said[:1]
    assert len(said) == 2 * len(expected)
    assert not cluster.remarks


def test_without_the_right_nodes_are_compared_with_each_other_only(use_probe: UseProbe) -> None:
    use_probe(set_to(USUAL, Tracking(12, 3600, 1, 0), USUAL))
    cluster = with_kube_proxy(refused_by_rbac)
    findings, unseen = judged(settings_differ, cluster)
    assert [finding.obj.name for finding in findings] == ["node-1"]
    assert unseen is None
    (remark,) = cluster.remarks
    assert remark.startswith("kube-proxy's configuration of connection tracking is not compared: ")
    assert "missing right: get configmaps in namespace kube-system" in remark


def test_without_kube_proxy_its_configuration_does_not_count(use_probe: UseProbe) -> None:
    use_probe(set_to(*[Tracking(12, 60, 1, 0)] * 3))
    left_over = cluster_of({PATH: configured(established="24h")}, nodes=[node("node-0")])
    assert found(settings_differ, left_over) == []


def test_a_recording_keeps_the_settings_of_the_config_map_and_no_more(tmp_path: Path, use_probe: UseProbe) -> None:
    source = Recording(FakeSource({PATH: configured(established="12h30m")}), tmp_path / "x.recording")
    assert asked_of_nodes(Cluster(source)).tracking == Tracking(established=45000)
    source.close()
    replayed = Snapshot(tmp_path / "x.recording")
    assert asked_of_nodes(Cluster(replayed)).tracking == Tracking(established=45000)
    body = replayed.get(Request(PATH)).body
    assert b"tcpEstablishedTimeout: 12h30m" in body
    assert b"hunter2" not in body
    assert b"clientConnection" not in body


@given(st.text(alphabet='conntrack:tcpEstablishedTimeout 1h\n"', max_size=300))
def test_any_configuration_can_be_read(text: str) -> None:
    answer = Answer(200, json.dumps({"data": {"config.conf": f"conntrack:\n{text}"}}).encode())
    assert asked_of_nodes(cluster_of({PATH: answer})).unseen is None
