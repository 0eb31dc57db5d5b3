"""What the containers of a pod say of names that they could not resolve, because DNS did not answer them."""

import re
from collections.abc import Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.apps.messages import Names, recognise
from kubevitals.facts.apps.services import named_by, services
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import last_end, statuses

_ANSWERED = re.compile(r"(?i)no such host|ENOTFOUND|NXDOMAIN|server misbehaving|does not exist|not known")
"""What is said of a name for which DNS did answer: that there is none, or that it failed itself."""


def failed_lookup(pod: pb.Pod, cluster: Cluster) -> str:
    """Return the line in which a pod says that DNS did not answer it; empty if it says nothing like that.

    Some programs say the same of a name that does not exist: the name of a Service that does not exist is no such line.
    """
    for lines in _said(pod, cluster):
        line = recognise(lines)
        if line and line.message.names is Names.HOST and not _ANSWERED.search(line.text):
            host = line.words.get("name", "")
            service = named_by(host, pod.metadata.namespace, cluster) if host else None
            if not service or service in cluster.derive(services):
                return line.text
    return ""


def _said(pod: pb.Pod, cluster: Cluster) -> Iterator[list[str]]:
    """Yield what each container wrote before it terminated, or writes now, and what events say of the pod."""
    for status in statuses(pod):
        waits = status.state.HasField("waiting")
        yield [last_end(status).message]
        if not waits or status.restartCount:
            try:
                yield list(cluster.log(pod, status.name, previous=waits))
            except NotObserved:
                continue  # what other containers and events say counts as well
    try:
        yield [event.message for event in cluster.events(pod)]
    except NotObserved:
        return
