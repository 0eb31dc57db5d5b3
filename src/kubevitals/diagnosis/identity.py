"""The identity of a finding, which stays the same from run to run although pods get new names."""

import re
from hashlib import blake2b

from kubevitals.findings.finding import Finding
from kubevitals.objects import Ref

_GENERATES_NAMES = frozenset({"Deployment", "ReplicaSet", "ReplicationController", "Job"})
"""Owners whose pods get random names. Pods of other controllers keep their names."""

DIGEST = 10
"""Bytes. With six, an attacker who can create objects could find one in minutes whose identity another finding has."""

_RUN_OF_A_CRON_JOB = re.compile(r"-\d{8,}$")
"""A CronJob names its Jobs after the minute: ``report-29384720``."""


def identity(check: str, finding: Finding) -> str:
    """Return twenty hexadecimal digits that identify a finding in every run.

    It is made of the check, the object and the part. For pods with random names the owner stands in for the object, for
    pods of a DaemonSet the DaemonSet and the node. So the replicas of a Deployment share one identity.
    """
    key = "\0".join((check, *_lasting(finding), finding.part))
    return blake2b(key.encode("utf-8", "replace"), digest_size=DIGEST).hexdigest()


def _lasting(finding: Finding) -> tuple[str, ...]:
    obj, owner, pod = finding.obj, finding.owner, _named_after(finding)
    if not owner or not pod:
        return _without_time(obj)
    volume = obj.name.removeprefix(pod.name)
    if owner.kind == "DaemonSet":
        return (obj.kind, *owner, volume, "on", finding.node)
    return (obj.kind, *_without_time(owner), volume) if owner.kind in _GENERATES_NAMES else obj


def _named_after(finding: Finding) -> Ref | None:
    """Return the pod whose name the object has: itself, or for the claim of an ephemeral volume its pod."""
    pods = (ref for ref in finding.concerns if ref.kind == "Pod" and finding.obj.name.startswith(f"{ref.name}-"))
    return finding.obj if finding.obj.kind == "Pod" else next(pods, None)


def _without_time(ref: Ref) -> Ref:
    return ref._replace(name=_RUN_OF_A_CRON_JOB.sub("", ref.name)) if ref.kind == "Job" else ref
