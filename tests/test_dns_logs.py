"""What the logs of DNS pods say."""

from collections.abc import Callable

import pytest

from checks.test_cluster_dns import failing
from kubevitals import schema_pb2 as pb
from kubevitals.facts.dns.logs import LOG_LINES, explain_log
from kubevitals.source.request import Answer, Request
from tests.dns import MARK, dns_cluster, dns_service
from tests.fakes import Answers
from tests.networks import found, judged, node, pod, refused_by_rbac

LOG = "/api/v1/namespaces/kube-system/pods/{}/log"
LOOP = (
    b'[FATAL] plugin/loop: Loop (127.0.0.1:33341 -> :53) detected for zone ".", see https://coredns.io/plugins/loop'
    b'#troubleshooting. Query: "HINFO 8391183664144451864.7099721769109937722."\n'
)


def crashing(name: str) -> pb.Pod:
    made = pod(name, "one", "False", 20, "CrashLoopBackOff", labels={**MARK, "pod-template-hash": "abc"})
    made.metadata.ownerReferences.append(pb.OwnerReference(kind="ReplicaSet", name="coredns-abc", controller=True))
    return made


@pytest.mark.usefixtures("no_probe")
@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (LOOP, "its Corefile forwards queries to itself"),
        (b"/etc/coredns/Corefile:13 - Error during parsing: Unknown directive 'forwrd'\n", "its Corefile has an error"),
        (
            b"/etc/coredns/Corefile:22 - Syntax error: Unexpected token 'loadbalance', expecting '}'",
            "its Corefile has an error",
        ),
        (b"Listen: listen tcp :53: bind: permission denied", "it cannot listen on its port"),
        (b'plugin/forward: not an IP address or file: "ns.example"', "a plugin refuses its part of the Corefile"),
        (b"[ERROR] plugin/errors: 2 x. HINFO: read udp: i/o timeout", ""),
        (b"plugin/forward: no valid upstream addresses found", "forwards to has no name server"),
        (b'[INFO] plugin/ready: Still waiting on: "kubernetes"', "it waits for the API server"),
        (b'[INFO] plugin/ready: Plugins not ready: "kubernetes"', "it waits for the API server"),
        (b"[INFO] 127.0.0.1:33341 - HINFO 0.1s", ""),
    ],
)
def test_the_log_of_a_pod_that_crashes_says_why_once(log: bytes, expected: str) -> None:
    paths = {LOG.format(name): Answer(200, log) for name in ("dns-a", "dns-b")}
    findings, unseen = judged(failing, dns_cluster(paths, pods=[crashing("dns-a"), crashing("dns-b")]))
    assert unseen is None
    assert [str(finding.obj) for finding in findings] == ["Deployment/kube-system/coredns"] * bool(expected)
    assert all(expected in finding.says and len(finding.concerns) == 3 for finding in findings)


@pytest.mark.usefixtures("no_probe")
def test_the_log_of_a_pod_that_the_service_selects_is_read_whatever_its_label() -> None:
    selected, place = {"dns.operator.openshift.io/daemonset-dns": "default"}, "openshift-dns"
    crashed = crashing("dns-a")
    crashed.metadata.namespace = place
    crashed.metadata.labels.clear()
    crashed.metadata.labels.update(selected)
    services = [dns_service("dns-default", place, **selected)]
    path = LOG.format("dns-a").replace("kube-system", place)
    seen = dns_cluster({path: Answer(200, LOOP)}, services=services, pods=[crashed])
    assert [finding.obj.namespace for finding in failing(seen)] == [place]


@pytest.mark.usefixtures("no_probe")
@pytest.mark.parametrize(
    ("version", "name", "command"),
    [
        ("v1.34.1", "kube-dns", "kubectl -n kube-system edit configmap coredns"),
        ("v1.34.1+k3s1", "kube-dns", "kubectl -n kube-system edit configmap coredns-custom"),
        ("v1.34.1+rke2r1", "rke2-coredns-rke2-coredns", "kubectl -n kube-system edit helmchartconfig rke2-coredns"),
    ],
)
def test_the_corefile_is_edited_where_nothing_writes_it_again(version: str, name: str, command: str) -> None:
    one = node("one")
    one.status.nodeInfo.kubeletVersion = version
    log = {LOG.format("dns-a"): Answer(200, b"plugin/forward: not an IP address")}
    seen = dns_cluster(log, nodes=[one], services=[dns_service(name)], pods=[crashing("dns-a")])
    (finding,) = failing(seen)
    assert finding.remedy.endswith(f": {command}")


GONE = Answer(200, b"unable to retrieve container logs for containerd://0123")


def by_run(previous: Answer, current: Answer) -> Callable[[Request], Answer]:
    return lambda request: previous if "previous=true" in request.path else current


@pytest.mark.usefixtures("no_probe")
@pytest.mark.parametrize(
    "paths",
    [
        {"dns-a": by_run(GONE, Answer(200, LOOP)), "dns-b": GONE},
        {"dns-a": by_run(Answer(200, LOOP), GONE), "dns-b": GONE},
        {"dns-a": GONE, "dns-b": by_run(Answer(200, LOOP), GONE)},
    ],
    ids=["current", "previous", "another pod"],
)
def test_a_log_that_is_gone_is_sought_in_the_other_run_and_the_other_pod(paths: Answers) -> None:
    logs = {LOG.format(name): answer for name, answer in paths.items()}
    findings, unseen = judged(failing, dns_cluster(logs, pods=[crashing("dns-a"), crashing("dns-b")]))
    assert unseen is None
    assert [str(finding.obj) for finding in findings] == ["Deployment/kube-system/coredns"]


@pytest.mark.usefixtures("no_probe")
def test_logs_that_are_all_gone_are_not_observed() -> None:
    logs = {LOG.format(name): GONE for name in ("dns-a", "dns-b")}
    findings, unseen = judged(failing, dns_cluster(logs, pods=[crashing("dns-a"), crashing("dns-b")]))
    assert findings == []
    assert "no longer has the log" in str(unseen)


@pytest.mark.usefixtures("no_probe")
def test_a_log_that_may_not_be_read_is_not_observed() -> None:
    findings, unseen = judged(failing, dns_cluster({LOG.format("dns-a"): refused_by_rbac}, pods=[crashing("dns-a")]))
    assert findings == []
    assert unseen
    assert unseen.right == "get pods/log"


@pytest.mark.usefixtures("no_probe")
def test_a_container_that_was_never_started_has_no_log_to_be_observed() -> None:
    never = pod("dns-a", "one", "False", 300, "ContainerCreating", labels=MARK)
    never.status.containerStatuses[0].lastState.Clear()
    assert found(failing, dns_cluster({LOG.format("dns-a"): Answer(400, b"not found")}, pods=[never])) == []


@pytest.mark.usefixtures("no_probe")
def test_the_log_of_a_pod_that_serves_is_not_read() -> None:
    assert found(failing, dns_cluster({LOG.format("dns-a"): Answer(200, LOOP)})) == []


def test_the_table_of_log_lines_is_cited() -> None:
    assert all(line.source and line.means and line.remedy for line in LOG_LINES)
    assert explain_log(("nothing", "of note")) is None
