"""The cluster as checks see it: typed lists, each fetched once, and what can be derived from them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.declared import Resource
from kubevitals.errors import NotObserved
from kubevitals.inventory.events import by_object, last_seen
from kubevitals.inventory.fetching import Fetching
from kubevitals.inventory.listing import Kind, Listing
from kubevitals.inventory.logs import Logs
from kubevitals.objects import KubeObject, is_finished, ref
from kubevitals.probe.plan import Options
from kubevitals.source.request import NAMES_ONLY, Source
from kubevitals.source.scope import Scope
from kubevitals.text import clean
from kubevitals.threshold import Threshold

R = TypeVar("R", bound=Resource)
T = TypeVar("T")


class _Version(msgspec.Struct):
    gitVersion: str = ""  # noqa: N815


class Cluster(Fetching):
    """One cluster at one time: what checks see of it.

    Each list is a tuple of objects. Reading one raises NotObserved where it could not be fetched, each time it is read.

    Attributes:
        scope: the namespaces that are looked at: `covers(namespace)` tells whether one is; `need(namespace)` and
            `need_all(why)` raise NotObserved unless that one, or all, are.
        secret_names: whether names of Secrets may be listed.
    """

    nodes = Listing("/api/v1/nodes", pb.Node)
    namespaces = Listing("/api/v1/namespaces", pb.Namespace, NAMES_ONLY)
    pods = Listing("/api/v1/pods", pb.Pod, namespaced=True)
    all_events = Listing("/api/v1/events", pb.Event, namespaced=True)
    node_events = Listing("/api/v1/namespaces/default/events", pb.Event, selector="involvedObject.namespace=")
    config_maps = Listing("/api/v1/configmaps", pb.ConfigMap, NAMES_ONLY, namespaced=True)
    secrets = Listing("/api/v1/secrets", pb.Secret, NAMES_ONLY, namespaced=True)
    services = Listing("/api/v1/services", pb.Service, namespaced=True)
    endpoint_slices = Listing("/apis/discovery.k8s.io/v1/endpointslices", pb.EndpointSlice, namespaced=True)
    claims = Listing("/api/v1/persistentvolumeclaims", pb.PersistentVolumeClaim, namespaced=True)
    volumes = Listing("/api/v1/persistentvolumes", pb.PersistentVolume)
    storage_classes = Listing("/apis/storage.k8s.io/v1/storageclasses", pb.StorageClass)
    csi_drivers = Listing("/apis/storage.k8s.io/v1/csidrivers", pb.CSIDriver)
    csi_nodes = Listing("/apis/storage.k8s.io/v1/csinodes", pb.CSINode)
    attachments = Listing("/apis/storage.k8s.io/v1/volumeattachments", pb.VolumeAttachment)
    deployments = Listing("/apis/apps/v1/deployments", pb.Deployment, namespaced=True)
    stateful_sets = Listing("/apis/apps/v1/statefulsets", pb.StatefulSet, namespaced=True)
    daemon_sets = Listing("/apis/apps/v1/daemonsets", pb.DaemonSet, namespaced=True)
    jobs = Listing("/apis/batch/v1/jobs", pb.Job, namespaced=True)
    cron_jobs = Listing("/apis/batch/v1/cronjobs", pb.CronJob, namespaced=True)

    def __init__(
        self,
        source: Source,
        thresholds: Mapping[Threshold, float] | None = None,
        *,
        secret_names: bool = False,
        ask_kubelets: bool = True,
        probe: Options | None = None,
        cni_daemon_sets: Iterable[str] = (),
        scope: Scope | None = None,
    ) -> None:
        super().__init__(source, scope, secret_names=secret_names, ask_kubelets=ask_kubelets, probe=probe)
        self._thresholds = dict(thresholds or {})
        self.cni_daemon_sets = frozenset(cni_daemon_sets)
        self._derived: dict[object, Any] = {}
        self._logs = Logs(self.get)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            lists = ", ".join(sorted(listing.name for listing in self.listings()))
            raise AttributeError(
                f"a cluster has no {name}; its lists are {lists}, and cluster.objects(Kind(…)) has others"
            )

    def objects(self, kind: Kind[R]) -> tuple[R, ...]:
        """Return all objects of a kind that a check declares itself, fetched when first asked for.

        Raises:
            NotObserved: it could not be fetched, or objects are not as declared.
        """
        return self.fetch(kind)

    @cached_property
    def server_version(self) -> str:
        """The API server's version, ``v1.34.4``."""
        answer = self.ask("/version").expect("get /version")
        try:
            return clean(msgspec.json.decode(answer.body, type=_Version).gitVersion, 60)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise NotObserved(f"/version answers what Kubernetes does not: {answer.body[:60]!r}") from error

    @property
    def uid(self) -> str:
        """What tells clusters of one name apart: the uid of kube-system, or nothing where it is not observed."""
        try:
            return next((clean(n.metadata.uid, 60) for n in self.namespaces if n.metadata.name == "kube-system"), "")
        except NotObserved:
            return ""

    @property
    def context(self) -> str:
        """What the cluster is called."""
        return clean(self._source.context)

    @property
    def now(self) -> datetime:
        """The time from which all ages are counted."""
        return self._source.now

    def age(self, time: pb.Time) -> float:
        """Return the seconds since a time; a time that is not set is infinitely long ago."""
        return self.now.timestamp() - time.seconds if time.seconds else float("inf")

    def over(self, time: pb.Time, threshold: Threshold) -> bool:
        """Return whether a state that began at a time has lasted for as long as the threshold."""
        return self.age(time) >= self.limit(threshold)

    def limit(self, threshold: Threshold) -> float:
        """Return the threshold's value in this run."""
        return self._thresholds.get(threshold, threshold.default)

    @cached_property
    def _events(self) -> Mapping[tuple[str, str, str], list[pb.Event]]:
        return by_object(self.all_events)

    @cached_property
    def _node_events(self) -> Mapping[tuple[str, str, str], list[pb.Event]]:
        return by_object(self.node_events)

    def events(self, obj: KubeObject) -> list[pb.Event]:
        """Return the object's events, the latest last; not those of a predecessor of the same name."""
        name = ref(obj)
        apart = self.scope.listed.chosen and not name.namespace
        return [
            event
            for event in (self._node_events if apart else self._events).get((name.kind, name.namespace, name.name), ())
            if name.kind == "Node" or event.involvedObject.uid in ("", obj.metadata.uid)
        ]

    def log(self, pod: pb.Pod, container: str, *, previous: bool) -> tuple[str, ...]:
        """Return the last lines of a container or of the one that died before it, bounded in lines, bytes and requests.

        Containers of one name and owner are alike: the first one asked for is read and answers for all.

        Raises:
            NotObserved: it could not be read.
        """
        return self._logs.read(pod, container, previous=previous)

    def derive(self, function: Callable[["Cluster"], T]) -> T:
        """Return what a function makes of the cluster, computed once however often it is asked for."""
        if function not in self._derived:
            self._derived[function] = function(self)
        found: T = self._derived[function]
        return found

    @cached_property
    def nodes_by_name(self) -> Mapping[str, pb.Node]:
        """All nodes."""
        return {node.metadata.name: node for node in self.nodes}

    @cached_property
    def claims_by_name(self) -> Mapping[tuple[str, str], pb.PersistentVolumeClaim]:
        """All claims, by namespace and name."""
        return {(claim.metadata.namespace, claim.metadata.name): claim for claim in self.claims}

    @cached_property
    def volumes_by_name(self) -> Mapping[str, pb.PersistentVolume]:
        """All volumes."""
        return {volume.metadata.name: volume for volume in self.volumes}

    @cached_property
    def pods_by_claim(self) -> Mapping[tuple[str, str], list[pb.Pod]]:
        """The pods that use a claim and are not finished, by the claim's namespace and name."""
        index: dict[tuple[str, str], list[pb.Pod]] = defaultdict(list)
        for pod in self.pods:
            if not is_finished(pod):
                for name in claim_names(pod):
                    index[pod.metadata.namespace, name].append(pod)
        return index


def claim_name(pod: pb.Pod, volume: pb.Volume) -> str:
    """Return the claim behind a pod's volume, or nothing; an ephemeral volume's claim is named after pod and volume."""
    if volume.volumeSource.HasField("ephemeral"):
        return f"{pod.metadata.name}-{volume.name}"
    return volume.volumeSource.persistentVolumeClaim.claimName


def claim_names(pod: pb.Pod) -> list[str]:
    """Return the names of the claims that the pod uses."""
    return [name for volume in pod.spec.volumes if (name := claim_name(pod, volume))]


def seen_ago(event: pb.Event, cluster: Cluster) -> float:
    """Return the seconds since the event was last seen."""
    return cluster.now.timestamp() - last_seen(event)
