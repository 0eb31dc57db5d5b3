"""A ConfigMap or a Secret cannot be mounted.

Meaning:
    A pod is on its node, but the kubelet cannot set up a volume from a ConfigMap, a Secret, the downward API or a
    projected volume: the object does not exist (often a typo), it does not have a key that the volume references, the
    kubelet may not read it, or the node's disk is full. Or a workload references a ConfigMap that was deleted: its
    present pods run on, but no new pod will start.

Impact:
    The pod stays in ContainerCreating as long as this lasts, and a rollout stops. A dangling reference takes effect
    at the next restart, rollout or node failure.

Diagnosis:
    `kubectl describe pod` shows a FailedMount event with the name; `kubectl get configmap,secret -n NAMESPACE` shows
    which objects exist.

Mitigation:
    Create the object, or correct its name or key in the workload's template. The kubelet retries by itself, at most
    two minutes later.
"""

import re
from collections.abc import Iterator, Sequence

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.faults import PodFault, broken_pods, pod_faults
from kubevitals.facts.pods.no_space import explain_no_space
from kubevitals.facts.pods.references import (
    PROVIDED,
    Reference,
    hints,
    listed_names,
    near_missing,
    references,
    volume_references,
)
from kubevitals.facts.pods.states import Symptom
from kubevitals.facts.volumes.mounting import volume_words
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import event_lines, pod_lines
from kubevitals.findings.explains import SAME_MISSING, Explains
from kubevitals.findings.finding import Finding, Severity, pod_finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import KubeObject, Ref, owner, ref

SETUP_ERRORS = (
    (
        r"is forbidden",
        "the API server forbids the kubelet to read it",
        "a static pod cannot use ConfigMaps and Secrets; for other pods check that the kubelet's client certificate is "
        "for system:node:NAME of its node, and that the API server runs the Node authorizer",
    ),
    (
        r"object \S{1,600} not registered|failed to sync \w{1,20} cache",
        "the kubelet does not get it from the API server",
        "check that the kubelet reaches the API server, and delete the pod so that it is recreated; if that does not "
        "help, restart the kubelet",
    ),
    (
        r"failed to fetch token: .{0,600}(?:connection refused|timeout|deadline exceeded|no route to host|EOF)",
        "the kubelet does not reach the API server",
        "check that the kubelet reaches the API server: its address, and what is between (load balancer, firewall)",
    ),
    (
        r"failed to fetch token: (?:.{0,600}x509: |Unauthorized)",
        "the kubelet and the API server do not accept each other's certificates",
        "check the node's clock, and when the certificates of the kubelet and of the API server end",
    ),
    (
        r"failed to fetch token|serviceaccount\w{0,10} ",
        "the kubelet gets no ServiceAccount token",
        "check that the pod's ServiceAccount exists and that the API server issues tokens for it",
    ),
    (
        r"(?i)unable to extract|container \S{1,253} not found|fieldpath|field label",
        "fieldRef or resourceFieldRef references a field or container that does not exist",
        "correct fieldRef and resourceFieldRef in the volume's items",
    ),
    (
        r"not supported by windows",
        "a Windows node cannot give its files to a Linux user",
        "leave runAsUser and fsGroup out of the securityContext of pods on Windows nodes; use windowsOptions",
    ),
    (
        r"read-only file system|input/output error|quota exceeded",
        "the kubelet cannot write to the node's disk",
        "see the node's kernel log (dmesg): a file system that fails becomes read-only; repair or replace the node",
    ),
)
"""Texts of kubelets about volumes that they fill themselves, with meaning and remedy (kubernetes/kubernetes
plugin/pkg/auth/authorizer/node/node_authorizer.go, pkg/kubelet/util/manager/cache_based_manager.go,
pkg/volume/projected/projected.go, pkg/volume/downwardapi/downwardapi.go, pkg/api/v1/resource/helpers.go)."""

EXPLAINS = (
    Explains(
        ("config-mount[missing-object]",),
        SAME_MISSING,
        ("config-mount[missing-object]", "config-mount[dangling-reference]", "startup-error[bad-reference]"),
    ),
)


def missing_object(cluster: Cluster) -> Iterator[Finding]:
    """Find pods that wait for a ConfigMap or Secret that does not exist; optional references do not count."""
    for symptom in broken_pods(cluster, PodFault.MISSING_OBJECT):
        sentences = [f'{m.kind} "{m.name}" does not exist{near_missing(m, cluster)}' for m in symptom.missing]
        names = " and ".join(f'{missing.kind} "{missing.name}"' for missing in symptom.missing)
        yield _finding(
            symptom,
            cluster,
            says=f"volumes cannot be mounted: {', '.join(sentences)}",
            remedy=f"create {names} in namespace {symptom.pod.metadata.namespace}, or correct the name in the "
            "workload's template",
            missing=symptom.missing,
        )


def missing_key(cluster: Cluster) -> Iterator[Finding]:
    """Find pods whose volume references a key that the ConfigMap or Secret does not have."""
    for symptom in broken_pods(cluster, PodFault.MISSING_KEY):
        holder = next((r for r in volume_references(symptom.pod.spec) if symptom.key in r.keys), None)
        name = f'{holder.kind} "{holder.name}"' if holder else "a ConfigMap or Secret"
        yield _finding(
            symptom,
            cluster,
            says=f'volumes cannot be mounted: {name} has no key "{symptom.key}"',
            remedy=f"add the key to {name}, or correct it in the volume's items",
        )


def node_disk_full(cluster: Cluster) -> Iterator[Finding]:
    """Find pods whose ConfigMaps or Secrets cannot be written to their node: no space left, or DiskPressure."""
    for symptom in broken_pods(cluster, PodFault.NODE_DISK_FULL):
        cause = explain_no_space(symptom.words, symptom.pod, cluster)
        yield _finding(
            symptom,
            cluster,
            says=f"volumes cannot be mounted: {cause.what}",
            remedy=f"{cause.remedy}; the pod then starts by itself",
        )


def setup_failed(cluster: Cluster) -> Iterator[Finding]:
    """Find pods whose ConfigMap, Secret, downwardAPI or projected volume cannot be set up for any other reason."""
    for symptom in broken_pods(cluster, PodFault.SETUP_FAILED):
        words = volume_words(symptom.words)
        matching = ((why, fix) for text, why, fix in SETUP_ERRORS if re.search(text, words))
        why, remedy = next(matching, ("", "fix what the kubelet reports"))
        yield _finding(
            symptom,
            cluster,
            says=f'volume "{symptom.volume}" cannot be set up: {f"{why}: " if why else ""}{words}',
            remedy=remedy,
        )


def dangling_reference(cluster: Cluster) -> Iterator[Finding]:
    """Find workloads whose template references a ConfigMap that does not exist, although their present pods run.

    Workloads that want no pods do not count, nor those whose pods already fail for this reason.
    Secrets are checked only with --secret-names.
    """
    failing = _owners_of_failing_pods(cluster)
    partial: set[str] = set()
    for templates in _templates(cluster):
        near = hints([(workload.metadata.namespace, spec) for workload, spec in templates], cluster)
        for workload, reference in _unlisted(templates, cluster):
            missing = Ref(reference.kind, workload.metadata.namespace, reference.name)
            if not cluster.is_complete(missing.namespace):
                partial.add(missing.namespace)
            elif ref(workload) not in failing:
                yield _dangling(workload, reference, missing, near.get(missing, ""), cluster)
    cluster.need_complete(*partial)


def _unlisted(
    templates: Sequence[tuple[KubeObject, pb.PodSpec]], cluster: Cluster
) -> Iterator[tuple[KubeObject, Reference]]:
    """Yield the references of pod templates to ConfigMaps and Secrets that are not listed."""
    kinds = ("ConfigMap", "Secret") if cluster.secret_names else ("ConfigMap",)
    for workload, spec in templates:
        for reference in dict.fromkeys(r for r in references(spec) if r.kind in kinds and r.name not in PROVIDED):
            if reference.name not in listed_names(cluster, reference.kind, workload.metadata.namespace):
                yield workload, reference


def _dangling(workload: KubeObject, reference: Reference, missing: Ref, near: str, cluster: Cluster) -> Finding:
    is_cron_job = isinstance(workload, pb.CronJob)
    outlook = "its next run will not start" if is_cron_job else "its present pods run on, new pods will not start"
    return Finding(
        ref(workload),
        says=f'references {missing.kind} "{missing.name}", which does not exist{near}: {outlook}',
        remedy=f'create {missing.kind} "{missing.name}", or correct the name in the workload\'s template',
        evidence=[f"{reference.where} of the pod template", *event_lines(workload, cluster)],
        severity=Severity.WARNING,
        part=reference.name,
        missing=(missing,),
    )


_MISSING_FAULTS = (PodFault.MISSING_OBJECT, PodFault.BAD_REFERENCE)


def _owners_of_failing_pods(cluster: Cluster) -> set[Ref | None]:
    by_fault = cluster.derive(pod_faults).symptoms
    return {owner(symptom.pod) for fault in _MISSING_FAULTS for symptom in by_fault[fault]}


def _templates(cluster: Cluster) -> Iterator[Sequence[tuple[KubeObject, pb.PodSpec]]]:
    """Yield, kind by kind, the workloads that have pods or will create some by themselves."""
    yield [(d, d.spec.template.spec) for d in cluster.deployments if d.spec.replicas]
    yield [(s, s.spec.template.spec) for s in cluster.stateful_sets if s.spec.replicas]
    yield [(d, d.spec.template.spec) for d in cluster.daemon_sets if d.status.desiredNumberScheduled]
    yield [(c, c.spec.jobTemplate.spec.template.spec) for c in cluster.cron_jobs if not c.spec.suspend]


def _finding(symptom: Symptom, cluster: Cluster, *, says: str, remedy: str, missing: tuple[Ref, ...] = ()) -> Finding:
    pod = symptom.pod
    return pod_finding(pod, says=says, remedy=remedy, evidence=pod_lines(pod, cluster), missing=missing)


@check(missing_object, missing_key, dangling_reference, node_disk_full, setup_failed, chapter="1.2")
def test_config_can_be_mounted() -> None:
    """Every ConfigMap and Secret that a pod mounts exists, has its keys, and can be written to the node."""
