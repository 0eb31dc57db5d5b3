"""A ConfigMap or a Secret cannot be mounted.

Meaning:
    A pod is on its node, but a volume made from a ConfigMap or a Secret cannot be set up: the object does not exist
    (often a typo), lacks a key that the volume names, or the node's disk is full. Or a workload refers to a
    ConfigMap that is gone, and its present pods are the last that will start.

Impact:
    The pod stays in ContainerCreating for as long as that lasts; a rollout stops there. A dangling reference hits
    with the next restart, rollout or node failure.

Diagnosis:
    `kubectl describe pod` shows FailedMount with the name; `kubectl get configmap,secret -n NAMESPACE` what there is.

Mitigation:
    Create the object, or correct its name or key in the workload's template. The kubelet tries again by itself,
    at most two minutes later.
"""

from collections.abc import Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.faults import PodFault, broken_pods, pod_faults
from kubevitals.facts.pods.references import (
    PROVIDED,
    Reference,
    listed_names,
    names,
    references,
    said_absent,
    volume_references,
)
from kubevitals.facts.pods.states import Symptom
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import event_lines, pod_lines
from kubevitals.findings.explains import SAME_MISSING, Explains
from kubevitals.findings.finding import Finding, Severity, pod_finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.near_names import did_you_mean
from kubevitals.objects import KubeObject, Ref, owner, ref

EXPLAINS = (
    Explains(
        ("config-mount[missing-object]",),
        SAME_MISSING,
        ("config-mount[missing-object]", "config-mount[dangling-reference]", "startup-error[bad-reference]"),
    ),
)


def missing_object(cluster: Cluster) -> Iterator[Finding]:
    """Find pods that wait for a ConfigMap or Secret that does not exist; references marked optional do not count."""
    for symptom in broken_pods(cluster, PodFault.MISSING_OBJECT):
        absent = said_absent(symptom.words)
        namespace = symptom.pod.metadata.namespace
        meant = [f'{kind} "{name}" does not exist{_near(cluster, kind, name, namespace)}' for kind, name in absent]
        yield _finding(
            symptom,
            cluster,
            says=f"cannot mount its volumes: {', '.join(meant)}",
            remedy=f"create {' and '.join(f'{kind} {name}' for kind, name in absent)} in namespace {namespace}, "
            "or correct the name in the workload's template",
            missing=tuple(Ref(kind, namespace, name) for kind, name in absent),
        )


def missing_key(cluster: Cluster) -> Iterator[Finding]:
    """Find pods whose volume names a key that the ConfigMap or Secret does not have."""
    for symptom in broken_pods(cluster, PodFault.MISSING_KEY):
        key = symptom.words.rpartition("key: ")[2].split(" ")[0].rstrip("],")
        holder = next((r for r in volume_references(symptom.pod.spec) if key in r.keys), None)
        name = f'{holder.kind} "{holder.name}"' if holder else "a ConfigMap or Secret"
        yield _finding(
            symptom,
            cluster,
            says=f'cannot mount its volumes: {name} has no key "{key}"',
            remedy=f"add the key to {name}, or correct it under items of the volume",
        )


def node_disk_full(cluster: Cluster) -> Iterator[Finding]:
    """Find pods whose ConfigMaps or Secrets cannot be written to their node: no space, or DiskPressure."""
    for symptom in broken_pods(cluster, PodFault.NODE_DISK_FULL):
        yield _finding(
            symptom,
            cluster,
            says=f"cannot mount its volumes: the disk of node {symptom.pod.spec.nodeName} is full",
            remedy="free space on the node (images, logs, emptyDirs) or add some; the pod starts by itself then",
        )


def dangling_reference(cluster: Cluster) -> Iterator[Finding]:
    """Find workloads whose template names a ConfigMap that is gone, though their present pods still run.

    Workloads that want no pods are left out, and so are those whose pods already fail for it.
    Secrets are looked at only with --secret-names.
    """
    kinds = ("ConfigMap", "Secret") if cluster.secret_names else ("ConfigMap",)
    failing = _owners_of_failing_pods(cluster)
    for workload, spec in _templates(cluster):
        if ref(workload) in failing:
            continue
        for name in dict.fromkeys(r for r in references(spec) if r.kind in kinds):
            existing = listed_names(cluster, name.kind, workload.metadata.namespace)
            if name.name not in existing and name.name not in PROVIDED:
                yield _dangling(workload, name, existing, cluster)


def _dangling(workload: KubeObject, reference: Reference, existing: frozenset[str], cluster: Cluster) -> Finding:
    near = did_you_mean(reference.name, existing, reference.kind, workload.metadata.namespace, cluster)
    runs = isinstance(workload, pb.CronJob)
    outlook = "its next run will not start" if runs else "its present pods run on, new ones will not start"
    return Finding(
        ref(workload),
        says=f'names {reference.kind} "{reference.name}", which does not exist{near}: {outlook}',
        remedy=f"create {reference.kind} {reference.name}, or correct the name in the workload's template",
        evidence=[f"{reference.where} of the pod template", *event_lines(workload, cluster)],
        severity=Severity.WARNING,
        part=reference.name,
        missing=(Ref(reference.kind, workload.metadata.namespace, reference.name),),
    )


def _owners_of_failing_pods(cluster: Cluster) -> set[Ref | None]:
    found = cluster.derive(pod_faults).found
    return {
        owner(symptom.pod) for fault in (PodFault.MISSING_OBJECT, PodFault.BAD_REFERENCE) for symptom in found[fault]
    }


def _templates(cluster: Cluster) -> Iterator[tuple[KubeObject, pb.PodSpec]]:
    """Yield the workloads that have pods or will have some by themselves."""
    yield from ((d, d.spec.template.spec) for d in cluster.deployments if d.spec.replicas)
    yield from ((s, s.spec.template.spec) for s in cluster.stateful_sets if s.spec.replicas)
    yield from ((d, d.spec.template.spec) for d in cluster.daemon_sets if d.status.desiredNumberScheduled)
    yield from ((c, c.spec.jobTemplate.spec.template.spec) for c in cluster.cron_jobs if not c.spec.suspend)


def _near(cluster: Cluster, kind: str, name: str, namespace: str) -> str:
    return did_you_mean(name, names(cluster, kind, namespace), kind, namespace, cluster)


def _finding(symptom: Symptom, cluster: Cluster, *, says: str, remedy: str, missing: tuple[Ref, ...] = ()) -> Finding:
    pod = symptom.pod
    return pod_finding(pod, says=says, remedy=remedy, evidence=pod_lines(pod, cluster), missing=missing)


@check(missing_object, missing_key, dangling_reference, node_disk_full, chapter="1.2")
def test_config_can_be_mounted() -> None:
    """Every ConfigMap and Secret that a pod mounts is there, with its keys, and can be written to the node."""
