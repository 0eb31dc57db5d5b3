"""What applications say before they exit, and what that names in the cluster."""

from collections.abc import Sequence

import pytest
from google.protobuf.message import Message

from checks.test_liveness_probe import killed_by_probe
from kubevitals import schema_pb2 as pb
from kubevitals.facts.apps.causes import AppCause, cause_of_exit
from kubevitals.facts.apps.messages import MESSAGES, recognise
from kubevitals.facts.pods.log_lines import last_words
from kubevitals.objects import Ref
from tests.app_lines import SAID
from tests.built import BuiltPod, config_map, node
from tests.fakes import cluster_of


def cause(line: str, pod: BuiltPod | None = None, **lists: Sequence[Message]) -> AppCause | None:
    built = pod or BuiltPod()
    return cause_of_exit(["starting", line, "bye"], built.pod, "app", cluster_of(**lists))


@pytest.mark.parametrize(("line", "means"), SAID)
def test_a_message_is_recognised(line: str, means: str) -> None:
    found = cause(line)
    assert found
    assert means in found.means
    assert found.line == line
    assert found.remedy


def test_every_message_is_recognised_by_an_example() -> None:
    found = {
        said.message.means for line, _ in [*SAID, *((line, "") for line in LOOKED_UP)] if (said := recognise([line]))
    }
    assert found == {message.means for message in MESSAGES}


@pytest.mark.parametrize(
    "line",
    [
        "server is ready on port 8080",
        "listening on 0.0.0.0:80",
        "GET /missing 404",
        "state saved",
        "Sealed   false",
        "",
    ],
)
def test_an_ordinary_line_says_nothing(line: str) -> None:
    assert cause(line) is None


REFUSED = "dial tcp {}: connect: connection refused"
FORBIDDEN = (
    'pods is forbidden: User "system:serviceaccount:shop:cart" cannot list resource "pods" in API group "" in the '
    'namespace "shop"'
)
UNRESOLVED = (
    "dial tcp: lookup {} on 10.96.0.10:53: no such host",
    "Error: getaddrinfo ENOTFOUND {}",
    'psql: error: could not translate host name "{}" to address: Name or service not known',
    "wget: bad address '{}'",
    'host not found in upstream "{}" in /etc/nginx/conf.d/default.conf:3',
    "java.net.UnknownHostException: {}",
)
LOOKED_UP = [REFUSED.format("db:5432"), FORBIDDEN, UNRESOLVED[0].format("db")]


def service(name: str, *, ip: str = "10.96.0.5", port: int = 5432) -> pb.Service:
    spec = pb.ServiceSpec(clusterIP=ip, ports=[pb.ServicePort(port=port)])
    return pb.Service(metadata=pb.ObjectMeta(name=name, namespace="shop"), spec=spec)


def endpoints(name: str, *, ready: bool) -> pb.EndpointSlice:
    metadata = pb.ObjectMeta(name=f"{name}-1", namespace="shop", labels={"kubernetes.io/service-name": name})
    return pb.EndpointSlice(metadata=metadata, endpoints=[pb.Endpoint(conditions=pb.EndpointConditions(ready=ready))])


@pytest.mark.parametrize("line", UNRESOLVED)
@pytest.mark.parametrize("host", ["databse", "databse.shop.svc.cluster.local"])
def test_a_service_that_does_not_exist_is_named(line: str, host: str) -> None:
    found = cause(line.format(host), services=[service("database")])
    assert found
    assert 'Service databse does not exist in namespace shop (did you mean "database"?)' in found.means
    assert found.missing == (Ref("Service", "shop", "databse"),)


def test_a_service_that_exists_leads_to_dns() -> None:
    found = cause(UNRESOLVED[0].format("db"), services=[service("db")])
    assert found
    assert "although Service db exists" in found.means
    assert found.concerns == (Ref("Service", "shop", "db"),)


def test_a_name_outside_the_cluster_is_no_service() -> None:
    found = cause(UNRESOLVED[0].format("api.example.com"))
    assert found
    assert found.means == '"api.example.com" cannot be resolved'
    assert not found.missing


@pytest.mark.parametrize(
    ("address", "ready", "means"),
    [
        ("10.96.0.5:5432", False, "Service db does not answer on port 5432: it has no ready endpoint"),
        ("db:5432", False, "Service db does not answer on port 5432: it has no ready endpoint"),
        ("db:5433", True, "Service db does not answer on port 5433: it has port 5432"),
        ("db.shop.svc:5432", True, "Service db does not answer on port 5432, although it has 1 ready endpoint"),
        ("192.0.2.7:25", True, "nothing answers at 192.0.2.7:25"),
        ("127.0.0.1:5432", True, "nothing listens on 127.0.0.1:5432, which is the pod itself"),
    ],
)
def test_a_service_that_does_not_answer_is_named_with_the_reason(address: str, ready: bool, means: str) -> None:
    found = cause(REFUSED.format(address), services=[service("db")], endpoint_slices=[endpoints("db", ready=ready)])
    assert found
    assert found.means == means


def test_an_api_server_out_of_reach_is_not_for_its_pods() -> None:
    kubernetes = service("kubernetes")
    kubernetes.metadata.namespace, kubernetes.spec.clusterIP = "default", "10.96.0.1"
    found = cause('Get "https://10.96.0.1:443/version": dial tcp 10.96.0.1:443: i/o timeout', services=[kubernetes])
    assert found
    assert found.means == "it does not reach the API server at 10.96.0.1:443"
    assert "port 6443" in found.remedy
    of = pb.ObjectMeta(name="kubernetes", namespace="default", labels={"kubernetes.io/service-name": "kubernetes"})
    behind = pb.EndpointSlice(metadata=of, endpoints=[pb.Endpoint(addresses=["192.0.2.9"])])
    found = cause("dial tcp 192.0.2.9:6443: connect: connection refused", endpoint_slices=[behind])
    assert found
    assert found.means == "the API server does not answer at 192.0.2.9:6443"


@pytest.mark.parametrize("line", [SAID[0][0], SAID[1][0]], ids=["numbered", "not numbered"])
def test_the_container_is_named_that_has_the_port(line: str) -> None:
    pod = BuiltPod()
    pod.pod.spec.containers[0].ports.add(containerPort=8080)
    pod.pod.spec.containers.add(name="proxy", ports=[pb.ContainerPort(containerPort=8080)])
    found = cause(line, pod)
    assert found
    assert found.means == 'port 8080 is already in use: container "proxy" of the same pod declares it'


def test_on_the_hosts_network_the_other_pod_is_named() -> None:
    pod = BuiltPod()
    pod.pod.spec.hostNetwork = True
    other = pb.Pod(metadata=pb.ObjectMeta(name="agent", namespace="monitoring", uid="2"))
    other.spec.hostNetwork, other.spec.nodeName, other.status.phase = True, "one", "Running"
    other.spec.containers.add(name="agent", ports=[pb.ContainerPort(containerPort=8080)])
    found = cause(SAID[0][0], pod, pods=[pod.pod, other])
    assert found
    assert found.means == "port 8080 is already in use: Pod/monitoring/agent has it on the node"


def test_the_nodes_architecture_is_said() -> None:
    arm = node()
    arm.metadata.labels["kubernetes.io/arch"] = "arm64"
    found = cause("exec format error", nodes=[arm])
    assert found
    assert "(the node is arm64)" in found.means


def test_a_missing_right_is_named_with_the_account() -> None:
    found = cause(FORBIDDEN)
    assert found
    assert found.means == "system:serviceaccount:shop:cart may not list pods"
    assert found.concerns == (Ref("ServiceAccount", "shop", "cart"),)


@pytest.mark.parametrize("line", ["open /etc/app/app.ini: is a directory", "IsADirectoryError: Is a directory"])
def test_a_sub_path_that_is_no_key_is_named(line: str) -> None:
    pod = BuiltPod()
    pod.mounting("config", configMap=config_map("settings"))
    mount = pod.pod.spec.containers[0].volumeMounts[0]
    mount.mountPath, mount.subPath = "/etc/app/app.ini", "app.ini"
    found = cause(line, pod)
    assert found
    assert found.means == '/etc/app/app.ini is a directory: subPath "app.ini" is not a key of ConfigMap/shop/settings'
    assert found.concerns == (Ref("ConfigMap", "shop", "settings"),)


def test_a_probe_that_is_refused_a_right_says_which() -> None:
    pod = BuiltPod()
    pod.crashing("web", 137, probed=True)
    for event in pod.events:
        event.message = event.message.replace("Liveness probe failed:", f"Liveness probe failed: {FORBIDDEN}")
    pod.said("Unhealthy", f"Liveness probe failed: {FORBIDDEN}", container="web")
    (finding,) = killed_by_probe(pod.cluster())
    assert finding.says.endswith("system:serviceaccount:shop:cart may not list pods")
    assert "grant the ServiceAccount that right" in finding.remedy


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (["ready", "E1128 14:00:00.000001 1 main.go:7] cannot listen", "shutting down"], "cannot listen"),
        (["Traceback (most recent call last):", "ValueError: no such colour"], "ValueError: no such colour"),
        (['Exception in thread "main" java.lang.IllegalStateException: no schema', "\tat Main"], "java.lang.Ill"),
        (["panic: no shop", "goroutine 1 [running]:", "exit status 2"], "no shop"),
        (["2026-11-28T14:00:00Z cannot open shop.db", "exiting"], "cannot open shop.db"),
        (["2026/11/28 14:00:00 [emerg] 1#1: unknown directive", "bye"], "unknown directive"),
        (["error: no config", "stopped"], "no config"),
        (["exiting"], "exiting"),
        (["(the log is empty)"], ""),
        ([], ""),
    ],
)
def test_the_last_words_are_those_that_tell(log: list[str], words: str) -> None:
    assert last_words(log).startswith(words)
    assert bool(last_words(log)) == bool(words)


def test_a_known_message_does_not_hide_a_later_error() -> None:
    log = ["open /etc/defaults.yaml: no such file or directory", "FATAL the colour is unknown"]
    assert cause_of_exit(log, BuiltPod().pod, "app", cluster_of()) is None
