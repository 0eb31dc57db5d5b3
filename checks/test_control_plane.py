"""kube-scheduler, kube-controller-manager or etcd does not work, or versions or clocks are too far apart.

Meaning:
    kube-scheduler and kube-controller-manager elect a leader, which renews a Lease every two seconds. The Lease is not
    renewed any more: no instance of the component works. Or a kubelet or kube-proxy has a version that does not work
    with the API server's, or a node's clock is ahead of the API server's. Or etcd is full: it answers, but stores
    nothing, so that no Lease at all is renewed.

Impact:
    Without a scheduler new pods get no node. Without a controller manager nothing replaces pods, rolls out Deployments,
    starts Jobs, fills EndpointSlices or evicts pods from dead nodes. What runs keeps running, so the fault shows late.
    With a full etcd all of this is so, nothing can be created or changed, and what is shown stays as it was.
    With versions too far apart, single features fail. With clocks apart, tokens and certificates are refused, and
    times in events and logs mislead.

Diagnosis:
    `kubectl -n kube-system get lease kube-scheduler kube-controller-manager -o yaml` shows who was the leader, and
    until when. On the control-plane nodes: `crictl ps -a` and `crictl logs` of the component, and its manifest in
    `/etc/kubernetes/manifests`. `kubectl get nodes` shows the kubelets' versions; on a node, `chronyc tracking` or
    `timedatectl` shows its clock. `etcdctl alarm list` shows etcd's alarms: they are found by the logs of the control
    plane's pods, which a managed cluster does not have.

Mitigation:
    Start the component again: restore its manifest, its kubeconfig (has its certificate expired?) or its node. Upgrade
    nodes that are too old, the control plane before nodes that are too new. Let every machine synchronise its clock.
    Compact and defragment a full etcd, and disarm its alarm.
"""

from collections.abc import Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.facts.control_plane.etcd import no_space
from kubevitals.facts.control_plane.leases import Trace, clocks_ahead, pods_of, stale_lease
from kubevitals.facts.control_plane.versions import Skewed, server_version, skewed
from kubevitals.facts.nodes.lifecycle import our_nodes
from kubevitals.findings.declaration import check
from kubevitals.findings.explains import BROKEN_PODS, CONCERNED, EVERYWHERE, Explains
from kubevitals.findings.finding import Finding, Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, is_ready, ref
from kubevitals.text import duration, plural

STALLED = ("control-plane[scheduler-stalled]", "control-plane[controller-manager-stalled]")

EXPLAINS = (
    Explains(("api-server",), EVERYWHERE, STALLED),
    Explains((*BROKEN_PODS, "scheduling[unschedulable]"), CONCERNED, STALLED),
    Explains(
        ("control-plane[scheduler-stalled]",),
        EVERYWHERE,
        ("scheduling[no-scheduler]",),
        words='schedulername is "default-scheduler"',
    ),
)

SCHEDULER, CONTROLLER_MANAGER = "kube-scheduler", "kube-controller-manager"
"""Names of the Leases, and of the components whose leaders hold them."""


def scheduler_stalled(cluster: Cluster) -> Iterator[Finding]:
    """Find that no kube-scheduler works: its Lease is not renewed, and no pod has got a node since."""
    if lease := stale_lease(SCHEDULER, Trace.SCHEDULED, cluster):
        yield _stalled(lease, "new pods get no node", cluster)


def controller_manager_stalled(cluster: Cluster) -> Iterator[Finding]:
    """Find that no kube-controller-manager works: its Lease is not renewed, and no pod of a controller is newer."""
    if lease := stale_lease(CONTROLLER_MANAGER, Trace.CREATED, cluster):
        yield _stalled(lease, "no controller creates pods, rolls out, or notices dead nodes", cluster)


def _stalled(lease: pb.Lease, impact: str, cluster: Cluster) -> Finding:
    name = lease.metadata.name
    pods = pods_of(name, cluster)
    return Finding(
        ref(lease),
        says=f"is not renewed any more: no {name} works, so {impact}",
        remedy=f"start {name}: look at its container (crictl ps -a) and at its manifest on the control-plane nodes",
        evidence=_lease_lines(lease, pods, cluster),
        concerns=tuple(ref(pod) for pod in pods),
        look=f"kubectl -n kube-system get pods -o wide -l component={name}",
        since=lease.spec.renewTime.seconds,
    )


def _lease_lines(lease: pb.Lease, pods: list[pb.Pod], cluster: Cluster) -> Iterator[str]:
    ago = duration(cluster.age(lease.spec.renewTime))
    yield f"last renewed {ago} ago by {lease.spec.holderIdentity or 'no holder'}"
    for pod in pods:
        state = "ready" if is_ready(pod) else "not ready"
        yield f"pod {pod.metadata.name} on node {pod.spec.nodeName}: {pod.status.phase}, {state}"
    if not pods:
        yield f"kube-system has no pod with the label component={lease.metadata.name}"


def etcd_no_space(cluster: Cluster) -> Iterator[Finding]:
    """Find that etcd has raised its alarm NOSPACE: no Lease at all is renewed, and the control plane logs why."""
    if full := no_space(cluster):
        yield Finding(
            Ref("APIServer", "", "kube-apiserver"),
            says="stores nothing any more: etcd has no space left, and its alarm NOSPACE is on",
            remedy="compact and defragment etcd, raise its --quota-backend-bytes if it is full of what is needed, then "
            "end the alarm: etcdctl alarm disarm",
            evidence=[f"{ref(full.pod)} says: {full.said}"],
            look="etcdctl endpoint status --cluster -w table; etcdctl alarm list",
        )


def version_skew(cluster: Cluster) -> Iterator[Finding]:
    """Find kubelets and kube-proxies that are newer than the API server, or older by more than three minor versions."""
    for part in skewed(cluster):
        server = server_version(cluster)
        newer = part.version > server
        apart = "newer than the API server" if newer else "too old for the API server"
        yield Finding(
            part.obj,
            says=f"runs {part.component} {part.version}, which is {apart} ({server})",
            remedy=_upgrade(part, newer=newer),
            evidence=[f"{part.component} {part.full}, API server {cluster.server_version}"],
            severity=Severity.WARNING,
        )


def _upgrade(part: Skewed, *, newer: bool) -> str:
    if newer:
        return f"upgrade the control plane first: {part.component} must not be newer than the API server"
    return f"upgrade {part.component}: it may be three minor versions older than the API server"


def clock_skew(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes whose clock is ahead of the API server's; if most are, the API server's clock is behind."""
    ahead = clocks_ahead(cluster)
    if len(ahead) > 1 and 2 * len(ahead) > len(cluster.derive(our_nodes)):
        yield _skew(
            Ref("APIServer", "", "kube-apiserver"),
            f"has a clock that is behind the clocks of {plural(len(ahead), 'node')}",
            [f"node {name}: {by:.0f} s ahead" for name, by in sorted(ahead.items())],
        )
        return
    for name, by in ahead.items():
        says = "has a clock that is ahead of the API server's"
        yield _skew(Ref("Node", "", name), says, [f"its kubelet renewed its Lease {by:.0f} s in the future"])


def _skew(obj: Ref, says: str, evidence: list[str]) -> Finding:
    return Finding(
        obj,
        says=says,
        remedy="synchronise the clock of that machine: chronyc tracking, timedatectl, systemctl status chronyd",
        evidence=evidence,
        severity=Severity.WARNING,
    )


@check(scheduler_stalled, controller_manager_stalled, etcd_no_space, version_skew, clock_skew, chapter="6.6")
def test_control_plane_works() -> None:
    """kube-scheduler, kube-controller-manager and etcd work, and versions and clocks are close to the API server's."""
