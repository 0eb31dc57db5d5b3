"""Pods that cannot start because a volume is not attached or mounted: grouped by claim, with what helps."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from kubevitals.facts.pods.states import Symptom
from kubevitals.findings.evidence import pod_lines
from kubevitals.inventory.cluster import Cluster, claim_name
from kubevitals.objects import Ref, ref

MOUNT_ERRORS = (
    (
        r"helper program|unknown filesystem type .(?:nfs|cifs)",
        "install the file system's mount helper on the node (nfs-common, cifs-utils)",
    ),
    (
        r"not found in the list of registered CSI drivers",
        "start the driver's pod on the node, or keep the pod off nodes without the driver",
    ),
    (
        r"wrong fs type|unknown filesystem|bad superblock",
        "correct fsType, or repair the file system on the volume",
    ),
    (
        r"timed out|no route to host|connection refused|host is down",
        "check that the node can reach the storage server",
    ),
    (r"reason given by server: no such file", "export the path on the storage server, or correct it in the volume"),
    (r"access denied|permission denied", "allow the node in the storage server's export, or correct the credentials"),
    (
        r"does not exist|no such file|hostPath type check failed",
        "create the path on the node, or correct it in the volume",
    ),
)
"""Texts of the kubelet, mount(8) and CSI drivers, with what helps."""


def mount_remedy(words: str) -> str:
    """Return what helps against a mount error that the kubelet reports."""
    remedies = (remedy for pattern, remedy in MOUNT_ERRORS if re.search(pattern, words, re.IGNORECASE))
    return next(remedies, "fix what the message reports; the log of the volume's driver on the node has more")


def volume_words(words: str) -> str:
    """Return the error without the kubelet's prefix and the mount command, which differ from pod to pod."""
    words = words.rpartition("\nOutput: ")[2]
    words = re.sub(r"/var/lib/kubelet/\S{1,500}?: ", "", words)
    return re.sub(r'^\S+(?: \w+)* (?:failed|error) for volume "[^"]*"\s*:?\s*', "", words)


def by_claim(symptoms: Iterable[Symptom], cluster: Cluster) -> dict[Ref, list[Symptom]]:
    """Return the pods by the claim they wait for, or by themselves if their volume has no claim."""
    groups: dict[Ref, list[Symptom]] = defaultdict(list)
    for symptom in symptoms:
        groups[_claim_in(symptom, cluster) or ref(symptom.pod)].append(symptom)
    return groups


def _claim_in(symptom: Symptom, cluster: Cluster) -> Ref | None:
    """Return the claim of a volume, whose name is that of a PersistentVolume or of a volume in the pod."""
    if claim := claim_of(symptom.volume, cluster):
        return claim
    pod = symptom.pod
    name = next((claim_name(pod, volume) for volume in pod.spec.volumes if volume.name == symptom.volume), "")
    return Ref("PersistentVolumeClaim", pod.metadata.namespace, name) if name else None


def claim_of(volume: str, cluster: Cluster) -> Ref | None:
    """Return the claim that a PersistentVolume is bound to, or nothing."""
    bound = cluster.volumes_by_name.get(volume)
    if bound and bound.spec.claimRef.name:
        return Ref("PersistentVolumeClaim", bound.spec.claimRef.namespace, bound.spec.claimRef.name)
    return None


def only_node(symptoms: list[Symptom]) -> str:
    """Return the node of all these pods, or nothing if there are several."""
    nodes = {symptom.pod.spec.nodeName for symptom in symptoms}
    return nodes.pop() if len(nodes) == 1 else ""


def waiting_lines(symptoms: list[Symptom], cluster: Cluster) -> Iterator[str]:
    """Yield as evidence which pods wait, and what they report."""
    for symptom in symptoms[:3]:
        yield f"waiting: {ref(symptom.pod)}"
        yield from pod_lines(symptom.pod, cluster)
