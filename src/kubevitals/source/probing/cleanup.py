"""Nothing stays behind: a run removes what it made, whatever happens, and what runs that are over left."""

from google.protobuf.message import Message

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.source.probing.api import Api
from kubevitals.source.probing.manifests import CLEANING, LIFETIME, MANAGED, NETWORKS, RUN, Made

LEFTOVER = 600
"""Seconds after which the probe's objects are leftovers if they do not say themselves when their run is over."""

_KINDS: tuple[type[pb.DaemonSet | pb.Service], ...] = (pb.DaemonSet, pb.Service)


def remove_leftovers(api: Api) -> list[str]:
    """Delete what earlier runs left in the namespace, but nothing of a run that may still go on.

    Returns:
        What could not be deleted.
    """
    remarks = []
    for schema in _KINDS:
        try:
            found = api.list(schema, labelSelector=f"{MANAGED}=kubevitals")
        except NotObserved as error:
            return [f"what earlier runs of the probe left behind is not known: {error}"]
        remarks += _delete(api, schema, [each.metadata.name for each in found if _is_over(each, api)])
    return remarks


def remove(api: Api, made: Made) -> list[str]:
    """Delete what this run made, and the namespace if a run made it and nothing else is in it.

    Returns:
        What could not be deleted, with the reason.
    """
    api.hurry(CLEANING)
    remarks = _delete(api, pb.DaemonSet, [made.daemon_set_name(network) for network in NETWORKS])
    remarks += _delete(api, pb.Service, [made.service_name])
    try:
        namespace = api.get_namespace()
        if namespace and (namespace.get("labels") or {}).get(MANAGED) == "kubevitals" and not _others(api, made):
            api.delete_namespace()
    except NotObserved as error:
        remarks.append(f"namespace {api.namespace} may be left behind: {error}")
    return remarks


def _others(api: Api, made: Made) -> bool:
    """Return whether anything is in the namespace that is not of this run."""
    selector = f"{RUN}!={made.run}"
    kinds: tuple[type[Message], ...] = (*_KINDS, pb.Pod)
    return any(api.list(schema, labelSelector=selector) for schema in kinds)


def _delete(api: Api, schema: type[Message], names: list[str]) -> list[str]:
    remarks = []
    for name in names:
        try:
            api.delete(schema, name)
        except NotObserved as error:
            remarks.append(f"{schema.__name__}/{api.namespace}/{name} may be left behind: {error}")
    return remarks


def _is_over(obj: pb.DaemonSet | pb.Service, api: Api) -> bool:
    told = obj.metadata.labels.get(LIFETIME, "")
    lifetime = int(told) if told.isdecimal() and len(told) < 10 else LEFTOVER
    return api.cluster.now.timestamp() - obj.metadata.creationTimestamp.seconds > lifetime
