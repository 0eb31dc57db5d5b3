"""Built networks: nodes, daemons, and the reports of a probe."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.protobuf import error_message
from kubevitals.errors import NotObserved
from kubevitals.findings.declaration import Rule
from kubevitals.findings.finding import Finding, Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.probe.report import Lookup, ProbeReport, Reach, Resolver, Target, Through
from kubevitals.source.request import Answer, Request
from tests.fakes import CREATED, ago, status_json

DNS_IP = "10.96.0.10"
NAME = "kubernetes.default.svc.cluster.local"
FINE = Resolver((DNS_IP,), ("shop.svc.cluster.local", "svc.cluster.local", "cluster.local"), ("ndots:5",))

Lost = Callable[[str, str], bool]
"""Whether what a node's pods send to another node's is lost."""

UseProbe = Callable[..., None]
"""Gives checks these reports and missing reports: the fixture `use_probe`."""


def node(
    name: str,
    ready: str = "True",
    message: str = "",
    *,
    cidr: str = "",
    created: pb.Time = CREATED,
    conditions: Sequence[pb.NodeCondition] = (),
    labels: Mapping[str, str] = {},
) -> pb.Node:
    state = pb.NodeCondition(
        type="Ready", status=ready, message=message, reason="KubeletNotReady", lastTransitionTime=ago(300)
    )
    return pb.Node(
        metadata=pb.ObjectMeta(name=name, creationTimestamp=created, labels=labels),
        spec=pb.NodeSpec(podCIDRs=[cidr] if cidr else []),
        status=pb.NodeStatus(conditions=[state, *conditions]),
    )


def daemon_set(
    name: str, namespace: str = "kube-system", *, created: pb.Time = CREATED, selector: Mapping[str, str] = {}
) -> pb.DaemonSet:
    spec = pb.PodSpec(nodeSelector=selector, tolerations=[pb.Toleration(operator="Exists")])
    return pb.DaemonSet(
        metadata=pb.ObjectMeta(name=name, namespace=namespace, uid=name, creationTimestamp=created),
        spec=pb.DaemonSetSpec(template=pb.PodTemplateSpec(spec=spec)),
    )


def daemon(of: pb.DaemonSet, on: str, ready: str = "True", since: int = 600, waiting: str = "") -> pb.Pod:
    made = pod(f"{of.metadata.name}-{on}", on, ready, since, waiting)
    made.metadata.namespace = of.metadata.namespace
    made.metadata.ownerReferences.append(
        pb.OwnerReference(kind="DaemonSet", name=of.metadata.name, uid=of.metadata.uid, controller=True)
    )
    return made


def pod(
    name: str, on: str = "one", ready: str = "True", since: int = 600, waiting: str = "", labels: Mapping[str, str] = {}
) -> pb.Pod:
    state = pb.ContainerState(waiting=pb.ContainerStateWaiting(reason=waiting)) if waiting else pb.ContainerState()
    if not waiting:
        state.running.startedAt.CopyFrom(ago(since))
    status = pb.ContainerStatus(name="app", state=state, ready=ready == "True", restartCount=int(bool(waiting)))
    status.lastState.terminated.exitCode = int(bool(waiting))
    return pb.Pod(
        metadata=pb.ObjectMeta(name=name, namespace="kube-system", creationTimestamp=ago(since), labels=labels),
        spec=pb.PodSpec(nodeName=on),
        status=pb.PodStatus(
            phase="Running",
            conditions=[pb.PodCondition(type="Ready", status=ready, lastTransitionTime=ago(since))],
            containerStatuses=[status],
        ),
    )


def exporter(name: str, on: str, label: str = "app") -> pb.Pod:
    """Return a node exporter's pod."""
    made = pod(name, on, labels={label: "node-exporter"})
    made.spec.hostNetwork = True
    return made


def judged(rule: Rule, cluster: Cluster) -> tuple[list[Finding], NotObserved | None]:
    """Return what a rule finds, and what kept it from seeing all."""
    findings = []
    try:
        for finding in rule(cluster):
            findings.append(finding)  # noqa: PERF402 - what came before the exception counts
    except NotObserved as error:
        return findings, error
    return findings, None


def found(rule: Rule, cluster: Cluster) -> list[str]:
    """Return the objects that a rule finds, having seen all."""
    findings, unseen = judged(rule, cluster)
    assert unseen is None, unseen
    return [short(finding) for finding in findings]


def short(finding: Finding) -> str:
    return f"{finding.obj.kind}/{finding.obj.name}" + (" (warning)" if finding.severity is Severity.WARNING else "")


def reach(kind: Target, node: str = "", answered: int = 2, *, address: str = "", said: str = "timed out") -> Reach:
    return Reach(kind, address or f"10.0.0.1:{len(node)}", node, 2, answered, 5, "" if answered else said)


def lookup(
    through: Through,
    answered: int = 2,
    *,
    pod: str = "",
    server: str = DNS_IP,
    outside: bool = False,
    said: str = "timed out",
    name: str = "",
) -> Lookup:
    name = name or ("example.com" if outside else NAME)
    return Lookup(
        name,
        outside,
        through,
        server,
        f"kube-system/{pod}" if pod else "",
        2,
        answered,
        5,
        (),
        "" if answered else said,
    )


def mesh(
    names: Sequence[str], lost: Lost, kinds: Sequence[Target] = (Target.PEER,), peers: int = 3
) -> Iterator[ProbeReport]:
    """Yield the reports of nodes that each ask their own pod and a few of the next, of which some attempts are lost."""
    for place, source in enumerate(names):
        targets = dict.fromkeys(names[(place + step) % len(names)] for step in range(peers + 1))
        reached = [
            reach(
                kind,
                target,
                0 if source != target and lost(source, target) else 2,
                address=f"10.244.{names.index(target)}.{names.index(target)}:80",
            )
            for kind in kinds
            for target in targets
        ]
        yield ProbeReport(source, "pod", whole=True, resolver=FINE, reached=tuple(reached))


def refused_by_rbac(_: Request) -> Answer:
    return Answer(403, status_json("no"))


def unreachable_port(_: Request) -> Answer:
    words = "error trying to reach service: dial tcp 10.0.0.1:10256: connect: connection refused"
    assert error_message(status_json(words)) == words
    return Answer(503, status_json(words))
