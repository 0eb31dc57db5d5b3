"""What makes a finding the same in the next run: its check, its object without what is generated anew, and the part."""

import re
from hashlib import blake2b

from kubevitals.findings.finding import Finding
from kubevitals.objects import Ref

_GENERATES_NAMES = frozenset({"Deployment", "ReplicaSet", "ReplicationController", "Job"})
"""Owners whose objects have random names; those of other controllers count as lasting."""

DIGEST = 10
"""Bytes. Of six, whoever makes objects finds one in minutes whose finding passes for one of thousands of others."""

_RUN_OF_A_CRON_JOB = re.compile(r"-\d{8,}$")
"""A CronJob names its Jobs after the minute: ``report-29384720``."""


def identity(check: str, finding: Finding) -> str:
    """Return twenty hexadecimal digits that stay the same from run to run.

    Findings of one check on alike objects of one owner share it: the replicas of a Deployment come and go. A pod of a
    DaemonSet is known by its node.
    """
    told = "\0".join((check, *_lasting(finding), finding.part))
    return blake2b(told.encode("utf-8", "replace"), digest_size=DIGEST).hexdigest()


def _lasting(finding: Finding) -> tuple[str, ...]:
    obj, owner, pod = finding.obj, finding.owner, _named_after(finding)
    if not owner or not pod:
        return _without_time(obj)
    volume = obj.name.removeprefix(pod.name)
    if owner.kind == "DaemonSet":
        return (obj.kind, *owner, volume, "on", finding.node)
    return (obj.kind, *_without_time(owner), volume) if owner.kind in _GENERATES_NAMES else obj


def _named_after(finding: Finding) -> Ref | None:
    """Return the pod that gives the object its name: itself, or that of an ephemeral volume's claim."""
    pods = (ref for ref in finding.concerns if ref.kind == "Pod" and finding.obj.name.startswith(f"{ref.name}-"))
    return finding.obj if finding.obj.kind == "Pod" else next(pods, None)


def _without_time(ref: Ref) -> Ref:
    return ref._replace(name=_RUN_OF_A_CRON_JOB.sub("", ref.name)) if ref.kind == "Job" else ref
