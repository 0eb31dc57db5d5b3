"""Why a container ended: the cause that its log names, or else its exit code and its last words."""

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.apps.causes import AppCause, cause_of_exit
from kubevitals.facts.pods.exits import exit_meaning, exit_remedy
from kubevitals.facts.pods.log_lines import last_words
from kubevitals.facts.pods.states import crash
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import last_end, statuses


def why_ended(pod: pb.Pod, status: pb.ContainerStatus, cluster: Cluster) -> AppCause:
    """Return the exit code of a container that has ended, what that means, and why, as far as its log says so."""
    ended, log = last_end(status), _log(pod, status, cluster)
    meaning = exit_meaning(ended.exitCode, ended.reason)
    if cause := cause_of_exit(log, pod, status.name, cluster):
        means = f"{meaning}: {cause.means}"
        return AppCause(cause.line, means, cause.remedy, cause.missing, cause.concerns)
    said = last_words(log)
    return AppCause(said, f'{meaning}: "{said}"' if said else meaning, exit_remedy(ended.exitCode))


def why_crashing(pod: pb.Pod, cluster: Cluster) -> AppCause | None:
    """Return why the first container of a pod that keeps crashing does so, with its name; nothing if none does."""
    for status in statuses(pod):
        if crash(pod, status, cluster):
            cause = why_ended(pod, status, cluster)
            return AppCause(cause.line, f'container "{status.name}" keeps crashing: {cause.means}', cause.remedy)
    return None


def known_cause(pod: pb.Pod, cluster: Cluster) -> AppCause | None:
    """Return the cause that the log of a container names that keeps crashing; nothing if none is known."""
    logs = ((status.name, _log(pod, status, cluster)) for status in statuses(pod) if crash(pod, status, cluster))
    return next((cause for name, log in logs if (cause := cause_of_exit(log, pod, name, cluster))), None)


def _log(pod: pb.Pod, status: pb.ContainerStatus, cluster: Cluster) -> list[str]:
    """Return what the container wrote last, its termination message included; the message where no log is observed."""
    message = last_end(status).message.splitlines()
    try:
        return [*cluster.log(pod, status.name, previous=not status.state.HasField("terminated")), *message]
    except NotObserved:
        return message  # the evidence says that the log was not observed
