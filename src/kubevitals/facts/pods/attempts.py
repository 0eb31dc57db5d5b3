"""Failed attempts: which of them are past because a later one succeeded, and which still count."""

import re
from collections import defaultdict
from collections.abc import Iterable

from kubevitals import schema_pb2 as pb
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, is_finished, ref, statuses
from kubevitals.threshold import Threshold

PAST = Threshold(
    "pod.past", 3600, "seconds after which a failed pod or Job that no controller waits for is only a warning"
)

Attempt = tuple[str, str, frozenset[tuple[str, str]], frozenset[str]]
"""What attempts at one thing have in common: namespace, stem of the name, stems of the labels, kinds of owners."""


def failed_for_good(pod: pb.Pod, cluster: Cluster) -> bool:
    """Return whether nothing will replace the failed pod, and no later attempt has succeeded."""
    if controller := _controller(pod.metadata):
        return controller.uid in cluster.derive(_failed_jobs)
    return ref(pod) not in cluster.derive(_superseded_pods)


def is_superseded(pod: pb.Pod, cluster: Cluster) -> bool:
    """Return whether a later attempt at what the failed pod was for has succeeded."""
    if not _controller(pod.metadata):
        return ref(pod) in cluster.derive(_superseded_pods)
    job = _job_of(pod, cluster)
    return job is not None and (bool(turned(job, "Complete")) or job.metadata.uid in cluster.derive(_superseded_jobs))


def _job_of(pod: pb.Pod, cluster: Cluster) -> pb.Job | None:
    controller = _controller(pod.metadata)
    return cluster.derive(_jobs_by_uid).get(controller.uid) if controller else None


def is_past(pod: pb.Pod, cluster: Cluster) -> bool:
    """Return whether the pod failed longer ago than `pod.past`, and no controller waits for another attempt."""
    if not is_finished(pod) or cluster.now.timestamp() - finished_at(pod) < cluster.limit(PAST):
        return False
    job = _job_of(pod, cluster)
    return not _controller(job.metadata if job else pod.metadata)


def finished_at(pod: pb.Pod) -> int:
    """Return when the pod finished, in seconds since 1970: when its last container ended, or its state last changed."""
    ends = [status.state.terminated.finishedAt.seconds for status in statuses(pod)]
    changes = [condition.lastTransitionTime.seconds for condition in pod.status.conditions]
    return max(ends, default=0) or max([pod.status.startTime.seconds, *changes])


def _controller(metadata: pb.ObjectMeta) -> pb.OwnerReference | None:
    return next((reference for reference in metadata.ownerReferences if reference.controller), None)


def failed_jobs(cluster: Cluster) -> list[pb.Job]:
    """Return the failed Jobs that no later attempt supersedes."""
    superseded = cluster.derive(_superseded_jobs)
    return [job for job in cluster.jobs if turned(job, "Failed") and job.metadata.uid not in superseded]


def _failed_jobs(cluster: Cluster) -> frozenset[str]:
    return frozenset(job.metadata.uid for job in failed_jobs(cluster))


def _superseded_jobs(cluster: Cluster) -> frozenset[str]:
    """Return the uids of failed Jobs if a later Job of the same owner, or a later run of the CronJob, has succeeded."""
    completed = ((job.metadata, time) for job in cluster.jobs if (time := turned(job, "Complete")))
    latest = _latest(completed)
    failed = ((job, time) for job in cluster.jobs if (time := turned(job, "Failed")))
    return frozenset(
        job.metadata.uid
        for job, time in failed
        if latest.get(_key(job.metadata), 0) > time or _cron_job_succeeded(job, cluster) >= time
    )


def _cron_job_succeeded(job: pb.Job, cluster: Cluster) -> int:
    """Return when a run of the Job's CronJob last succeeded, or 0."""
    cron_jobs = cluster.derive(_cron_jobs_by_uid)
    makers = (cron_jobs.get(reference.uid) for reference in job.metadata.ownerReferences)
    return max((maker.status.lastSuccessfulTime.seconds for maker in makers if maker), default=0)


def _superseded_pods(cluster: Cluster) -> frozenset[Ref]:
    """Return the failed pods without a controller if a later pod like them has succeeded."""
    bare = [pod for pod in cluster.pods if is_finished(pod) and not _controller(pod.metadata)]
    latest = _latest((pod.metadata, finished_at(pod)) for pod in bare if pod.status.phase == "Succeeded")
    failed = (pod for pod in bare if pod.status.phase == "Failed")
    return frozenset(ref(pod) for pod in failed if latest.get(_key(pod.metadata), 0) > finished_at(pod))


def _latest(successes: Iterable[tuple[pb.ObjectMeta, int]]) -> dict[str | Attempt, int]:
    latest: dict[str | Attempt, int] = defaultdict(int)
    for metadata, finished in successes:
        latest[_key(metadata)] = max(latest[_key(metadata)], finished)
    return latest


def turned(job: pb.Job, condition: str) -> int:
    """Return when the Job's condition became true, or 0."""
    return job_condition(job, condition).lastTransitionTime.seconds


def job_condition(job: pb.Job, kind: str) -> pb.JobCondition:
    """Return the Job's condition of this type if it is true, else an empty one."""
    true = (c for c in job.status.conditions if c.type == kind and c.status == "True")
    return next(true, pb.JobCondition())


def _key(metadata: pb.ObjectMeta) -> str | Attempt:
    """Return what attempts at one thing share: their controller or, without one, the stems of name and labels.

    Airflow, OpenShift's installers and scripts create a pod for each attempt, with no controller, and write the number
    of the attempt, a time or random characters into its name and labels.
    """
    if controller := _controller(metadata):
        return controller.uid
    labels = frozenset((key, _stem(value)) for key, value in metadata.labels.items())
    return metadata.namespace, _stem(metadata.name), labels, frozenset(r.kind for r in metadata.ownerReferences)


_RETRIES = frozenset({"attempt", "rerun", "retry", "try"})
_WORDS = re.compile(r"[-_.]+")


def _stem(text: str) -> str:
    """Return a name without numbers, times, random characters and words for another attempt."""
    words = _WORDS.split(text)
    return "-".join(word for word in words if word not in _RETRIES and not _is_serial(word))


_RANDOM = re.compile(r"[bcdfghjklmnpqrstvwxz2456789]{5}|(?=\D*\d)(?:[0-9a-f]{7,64}|[0-9a-z]{8}|[0-9a-z]{10})")
"""Suffixes that are random: Kubernetes' own (apimachinery pkg/util/rand/rand.go), and what others append."""


def _is_serial(word: str) -> bool:
    digits = sum(character.isdigit() for character in word)
    return 2 * digits >= max(len(word), 1) or bool(_RANDOM.fullmatch(word))


def _jobs_by_uid(cluster: Cluster) -> dict[str, pb.Job]:
    return {job.metadata.uid: job for job in cluster.jobs}


def _cron_jobs_by_uid(cluster: Cluster) -> dict[str, pb.CronJob]:
    return {cron_job.metadata.uid: cron_job for cron_job in cluster.cron_jobs}
