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
from tests.built import BuiltPod, config_map, node
from tests.fakes import cluster_of

SAID = [
    ("listen tcp :8080: bind: address already in use", "port 8080 is already in use"),
    ("bind: Address already in use", "a port that it listens on is already in use"),
    ("nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)", "port 80 is already in use"),
    ("[Errno 98] error while attempting to bind on address ('0.0.0.0', 8000): address in use", "port 8000 is"),
    ("12:00:05 ERROR listen tcp 0.0.0.0:9090: bind: address already in use", "port 9090 is already in use"),
    ("Error: listen EADDRINUSE: address already in use :::3000", "port 3000 is already in use"),
    ("Web server failed to start. Port 8080 was already in use.", "port 8080 is already in use"),
    ("exec /app/server: exec format error", "not for the node's architecture"),
    ("/bin/sh: /app/server: cannot execute binary file: Exec format error", "not for the node's architecture"),
    ("/usr/bin/env: 'bash\\r': No such file or directory", "Windows line ends"),
    ("/entrypoint.sh: /bin/bash: bad interpreter: No such file or directory", "interpreter of /entrypoint.sh"),
    ("sh: DATABASE_URL: parameter not set", "environment variable DATABASE_URL is not set"),
    ("/start.sh: line 3: DATABASE_URL: unbound variable", "environment variable DATABASE_URL is not set"),
    ("KeyError: 'DATABASE_URL'", "environment variable DATABASE_URL is not set"),
    ('env: required environment variable "DB_HOST" is not set', "environment variable DB_HOST is not set"),
    ("Error: missing required environment variable: API_ROOT", "environment variable API_ROOT is not set"),
    ("required key APP_PORT missing value", "environment variable APP_PORT is not set"),
    ("Could not resolve placeholder 'shop.url' in value \"${shop.url}\"", "property shop.url has no value"),
    ("FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory", "heap is full"),
    ('Exception in thread "main" java.lang.OutOfMemoryError: Java heap space', "heap is full"),
    ('FATAL: password authentication failed for user "shop"', "refuses its credentials"),
    (
        "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        "certificate of the other side",
    ),
    ("ModuleNotFoundError: No module named 'flask'", "flask is missing from the image"),
    ("Error: Cannot find module '/app/index.js'", "/app/index.js is missing from the image"),
    ("./app: error while loading shared libraries: libpq.so.5: cannot open", "library libpq.so.5 is missing"),
    ("touch: /var/cache/x: Read-only file system", "/var/cache/x is read-only"),
    ("open /data/db.lock: permission denied", "no permission for /data/db.lock"),
    ("PermissionError: [Errno 13] Permission denied: '/data/x'", "no permission for /data/x"),
    ("cat: can't open '/etc/app/app.ini': No such file or directory", "/etc/app/app.ini does not exist"),
    ("open /etc/app/config.yaml: no such file or directory", "/etc/app/config.yaml does not exist"),
    ("IsADirectoryError: [Errno 21] Is a directory: '/etc/app'", "/etc/app is a directory"),
    ("cat: read error: Is a directory", "takes a directory for a file"),
    ("Unable to write to /var/lib/x error=open /var/lib/x: is a directory", "/var/lib/x is a directory"),
    ("14:05:03 listen unix /csi/csi.sock: bind: address already in use", "the socket /csi/csi.sock is already in use"),
    ("inotify_init: too many open files", "too many files, or inotify instances"),
    ("setpriv: setgroups failed: Operation not permitted", "securityContext does not allow"),
    (";; connection timed out; no servers could be reached", "a host name cannot be resolved"),
    ("standard_init_linux.go:228: exec user process caused: no such file or directory", "the interpreter of a script"),
    ("exec /entrypoint.sh: no such file or directory", "the interpreter of a script"),
    ("Error: Database is uninitialized and superuser password is not specified.", "administrator's password"),
    ('FATAL:  database "orders" does not exist', 'database "orders" does not exist'),
    ("ERROR 1049 (42000): Unknown database 'orders'", 'database "orders" does not exist'),
    ("max virtual memory areas vm.max_map_count [65530] is too low, increase to 262144", "vm.max_map_count is too low"),
    ('initdb: error: directory "/var/lib/postgresql/data" exists but is not empty', "its data directory is not empty"),
    ("nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)", "may not listen on a port below 1024"),
    ("Error: listen EACCES: permission denied 0.0.0.0:443", "may not listen on a port below 1024"),
    ("listen tcp :80: bind: permission denied", "may not listen on a port below 1024"),
    ("bash: line 1: fork: Resource temporarily unavailable", "no more processes or threads"),
    (
        "java.lang.OutOfMemoryError: unable to create native thread: possibly out of memory or process/resource limits",
        "no more",
    ),
    ("Error: P1001: Can't reach database server at `192.0.2.7`:`5432`", "nothing answers at 192.0.2.7:5432"),
    (
        "PrismaClientInitializationError: Can't reach database server at `192.0.2.7:5432`",
        "nothing answers at 192.0.2.7",
    ),
    ("mkdir: cannot create directory \u2018/var/log/x\u2019: Permission denied", "no permission for /var/log/x"),
    ("/bin/sh: can't create /var/log/app.log: Permission denied", "no permission for /var/log/app.log"),
    (
        "/entrypoint.sh: line 49: /etc/nginx/conf.d/a.conf: Permission denied",
        "no permission for /etc/nginx/conf.d/a.conf",
    ),
    ("chown: /srv/data: Operation not permitted", "may not change the owner or mode of /srv/data"),
    ("chown: changing ownership of '/var/lib/pg': Operation not permitted", "owner or mode of /var/lib/pg"),
    ("Fatal glibc error: CPU does not support x86-64-v2", "CPU is too old for it (x86-64-v2 is required)"),
    ("Error: unknown flag: --enable-foo", "it does not know the flag --enable-foo"),
    ("flag provided but not defined: -metrics.addr", "it does not know the flag -metrics.addr"),
    ("app.py: error: unrecognized arguments: --debug", "it does not know the flag --debug"),
    ("error\tcommand error output: validation timeout", "not redirected to the proxy of its mesh"),
    (
        "error\tError connecting to 127.0.0.6:15002: dial tcp 127.0.0.1:0: connect: connection refused",
        "not redirected to the proxy of its mesh",
    ),
    (
        "ERROR linkerd_network_validator: Failed to validate networking configuration timeout=10s",
        "not redirected to the proxy of its mesh",
    ),
    ("iptables-restore: unable to initialize table 'nat'", "no iptables table nat"),
    ("iptables v1.8.7 (legacy): can't initialize iptables table `raw': Table does not exist", "no iptables table raw"),
    ("opening storage failed: lock DB directory: resource temporarily unavailable", "holds the lock of its data"),
    ("[ERROR] [MY-012574] [InnoDB] Unable to lock ./ibdata1 error: 11", "holds the lock of its data"),
    ('FATAL:  lock file "postmaster.pid" already exists', "holds the lock of its data"),
    ("FATAL:  database files are incompatible with server", "another major version of the database"),
    ('error: no matches for kind "Certificate" in version "cert-manager.io/v1"', "no kind Certificate"),
    ('"msg":"problem running manager","error":"leader election lost"', "could not renew its Lease"),
    ('npm ERR! Missing script: "start"', 'package.json has no script "start"'),
    ("/bin/sh: 1: ./run: not found", "./run is missing from the image"),
    ("/docker-entrypoint.sh: line 5: exec: uvicorn: not found", "uvicorn is missing from the image"),
    ("env: can't execute 'bash': No such file or directory", "bash is missing from the image"),
    ("/usr/bin/env: \u2018python\u2019: No such file or directory", "python is missing from the image"),
]


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
    "line", ["server is ready on port 8080", "listening on 0.0.0.0:80", "GET /missing 404", "state saved", ""]
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
