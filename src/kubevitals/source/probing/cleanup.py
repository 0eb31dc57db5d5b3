"""Removes the objects of a run, whatever happens, and those that earlier runs left behind."""

from datetime import datetime
from typing import Any

from google.protobuf.message import Message

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.source.probing.api import Api
from kubevitals.source.probing.manifests import CLEANING, LIFETIME, MANAGED, NETWORKS, RUN, Made

LEFTOVER = 600
"""Age in seconds from which objects of the probe are leftovers, if no label has the lifetime of their run."""

_KINDS: tuple[type[pb.DaemonSet | pb.Service], ...] = (pb.DaemonSet, pb.Service)


def remove_leftovers(api: Api) -> list[str]:
    """Delete what earlier runs left in the namespace, but nothing of a run that may still be going on.

    Returns:
        A remark for each object that could not be deleted.
    """
    remarks = []
    for schema in _KINDS:
        try:
            objects = api.list(schema, labelSelector=f"{MANAGED}=kubevitals")
        except NotObserved as error:
            return [f"earlier runs of the probe may have left objects behind: {error}"]
        remarks += _delete(api, schema, [obj.metadata.name for obj in objects if is_left_behind(obj, api.cluster.now)])
    return remarks


def remove(api: Api, made: Made) -> list[str]:
    """Delete the objects of this run, and the namespace if the probe created it and nothing else is in it.

    Returns:
        A remark for each object that could not be deleted, with the reason.
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
    """Return whether the namespace has objects that are not of this run."""
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


def is_left_behind(obj: Any, now: datetime) -> bool:
    """Return whether an object is the probe's, and its run has surely ended."""
    if obj.metadata.labels.get(MANAGED) != "kubevitals":
        return False
    label = obj.metadata.labels.get(LIFETIME, "")
    lifetime = int(label) if label.isdecimal() and len(label) < 10 else LEFTOVER
    return bool(now.timestamp() - obj.metadata.creationTimestamp.seconds > lifetime)
