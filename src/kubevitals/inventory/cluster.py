"""The cluster as checks see it: typed lists, each fetched once, and what is derived from them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

from google.protobuf.message import Message

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.declared import Resource
from kubevitals.encoding.shared_pods import alike
from kubevitals.errors import NotObserved
from kubevitals.inventory.completeness import incomplete, namespaces_with_root_ca
from kubevitals.inventory.events import by_object, last_seen
from kubevitals.inventory.fetching import Fetcher
from kubevitals.inventory.listing import NAMESPACES, Kind, Listing
from kubevitals.inventory.logs import Logs
from kubevitals.inventory.server_version import not_kubernetes, version_of
from kubevitals.objects import KubeObject, Ref, is_finished, ref
from kubevitals.probe.plan import Options
from kubevitals.source.request import NAMES_ONLY, Answer, Request, Source
from kubevitals.source.scope import Scope
from kubevitals.text import clean
from kubevitals.threshold import Threshold

R = TypeVar("R", bound=Resource)
T = TypeVar("T")

_ADMISSION = "/apis/admissionregistration.k8s.io/v1"


def _has_pods(replica_set: pb.ReplicaSet) -> bool:
    """Return whether a ReplicaSet has pods or wants some. A Deployment keeps ten old ones that do not."""
    return bool(replica_set.spec.replicas or replica_set.status.replicas)


class Cluster:
    """One cluster at one point in time.

    Each list is a tuple of objects. Reading a list that could not be fetched raises NotObserved, every time.

    Attributes:
        scope: the namespaces of this run: `covers(namespace)` returns whether one is among them; `need(namespace)`
            and `need_all(why)` raise NotObserved unless that namespace is, or all are.
        secret_names: whether the names of Secrets are listed.
        ask_kubelets: whether kubelets, and ports of nodes and pods, are queried.
        probe_waits: whether the probe must not start yet.
        remarks: what the report says about this run in addition to the findings.
    """

    nodes = Listing("/api/v1/nodes", pb.Node)
    namespaces = NAMESPACES
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
    replica_sets = Listing("/apis/apps/v1/replicasets", pb.ReplicaSet, namespaced=True, wanted=_has_pods)
    jobs = Listing("/apis/batch/v1/jobs", pb.Job, namespaced=True)
    cron_jobs = Listing("/apis/batch/v1/cronjobs", pb.CronJob, namespaced=True)
    quotas = Listing("/api/v1/resourcequotas", pb.ResourceQuota, namespaced=True)
    limit_ranges = Listing("/api/v1/limitranges", pb.LimitRange, namespaced=True)
    signing_requests = Listing("/apis/certificates.k8s.io/v1/certificatesigningrequests", pb.CertificateSigningRequest)
    api_services = Listing("/apis/apiregistration.k8s.io/v1/apiservices", pb.APIService)
    validating_webhooks = Listing(f"{_ADMISSION}/validatingwebhookconfigurations", pb.ValidatingWebhookConfiguration)
    mutating_webhooks = Listing(f"{_ADMISSION}/mutatingwebhookconfigurations", pb.MutatingWebhookConfiguration)
    autoscalers = Listing("/apis/autoscaling/v2/horizontalpodautoscalers", pb.HorizontalPodAutoscaler, namespaced=True)
    disruption_budgets = Listing("/apis/policy/v1/poddisruptionbudgets", pb.PodDisruptionBudget, namespaced=True)
    ingresses = Listing("/apis/networking.k8s.io/v1/ingresses", pb.Ingress, namespaced=True)
    ingress_classes = Listing("/apis/networking.k8s.io/v1/ingressclasses", pb.IngressClass)
    system_leases = Listing("/apis/coordination.k8s.io/v1/namespaces/kube-system/leases", pb.Lease)
    network_policies = Listing("/apis/networking.k8s.io/v1/networkpolicies", pb.NetworkPolicy, namespaced=True)
    node_leases = Listing("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases", pb.Lease)

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
        name: str = "",
    ) -> None:
        self.scope, self.secret_names, self.ask_kubelets = scope or Scope(), secret_names, ask_kubelets
        self.probe_options, self.probe_waits = probe, False
        self.remarks = [] if self.scope.is_all else [f"namespaces: {self.scope}"]
        self._source, self._name = source, name
        self.fetcher = Fetcher(source, self.scope)
        self._thresholds = dict(thresholds or {})
        self.cni_daemon_sets = frozenset(cni_daemon_sets)
        self._derived: dict[object, Any] = {}
        self._events_of: dict[tuple[Ref, str], list[pb.Event]] = {}
        self._logs = Logs(self.fetcher.get)

    @staticmethod
    def listings() -> list[Listing[Message]]:
        """Return all kinds that checks read; rights and requests are derived from them."""
        return [value for value in vars(Cluster).values() if isinstance(value, Listing)]

    def prefetch(self) -> list[Future[tuple[Any, ...]]]:
        """Start fetching all lists that this run needs, several at a time."""
        unneeded = set() if self.secret_names else {"secrets"}
        unneeded |= set() if self.scope.listed.chosen else {"node_events"}
        return [self.fetcher.start(listing) for listing in self.listings() if listing.name not in unneeded]

    def close(self) -> None:
        """Wait for running requests and close the source."""
        self.fetcher.close()

    def forget(self) -> None:
        """Keep no list and nothing derived from one: reports have no need of them."""
        self.fetcher.forget()
        self._derived.clear()
        self._events_of.clear()
        for name, value in vars(Cluster).items():
            if isinstance(value, cached_property):
                vars(self).pop(name, None)

    def get(self, path: str) -> Answer:
        """Return the API server's answer for a path that is not a list, whatever its status.

        Raises:
            NotObserved: there was no answer.
        """
        return self.fetcher.get(Request(path))

    def objects(self, kind: Kind[R]) -> tuple[R, ...]:
        """Return all objects of a kind that a check declares itself, fetched at the first call.

        Raises:
            NotApplicable: the kind is optional, and the cluster does not have it.
            NotObserved: the list could not be fetched, or objects are not as declared.
        """
        return self.fetcher.list(kind)

    def listed_at(self, listing: Listing[Any]) -> float:
        """Return when the API server sent a list, by its own clock, in seconds since 1970; 0 if that is not known.

        Raises:
            NotObserved: the list could not be fetched.
        """
        return self.fetcher.date(listing)

    def is_complete(self, namespace: str) -> bool:
        """Return whether this run lists all objects of a namespace, so that one that is not listed does not exist."""
        if namespace in self.scope.incomplete or not self.scope.covers(namespace):
            return False
        published = self._namespaces_with_root_ca
        return published is None or namespace in published

    def need_complete(self, *namespaces: str) -> None:
        """Require that this run lists all objects of these namespaces.

        Raises:
            NotObserved: a namespace is not in the scope, or the source may have only a part of it.
        """
        for namespace in namespaces:
            self.scope.need(namespace)
        if partial := [namespace for namespace in namespaces if not self.is_complete(namespace)]:
            raise incomplete(partial, self.scope.incomplete)

    @cached_property
    def _namespaces_with_root_ca(self) -> frozenset[str] | None:
        return namespaces_with_root_ca(self)

    @cached_property
    def server_version(self) -> str:
        """The API server's version, ``v1.34.4``."""
        answer = self.get("/version").expect("get /version")
        if (version := version_of(answer)) is None:
            raise not_kubernetes("/version", answer)
        return version

    @property
    def uid(self) -> str:
        """The uid of the kube-system namespace, which tells clusters of one name apart; empty if it is not observed."""
        try:
            return next((clean(n.metadata.uid, 60) for n in self.namespaces if n.metadata.name == "kube-system"), "")
        except NotObserved:
            return ""

    @cached_property
    def context(self) -> str:
        """The cluster's name: the kubeconfig context, unless the user gives another."""
        return clean(self._name or self._source.context)

    @property
    def now(self) -> datetime:
        """The time that all ages are counted from."""
        return self._source.now

    def age(self, time: pb.Time) -> float:
        """Return the seconds since a time; infinity if the time is not set."""
        return self.now.timestamp() - time.seconds if time.seconds else float("inf")

    def over(self, time: pb.Time, threshold: Threshold) -> bool:
        """Return whether a state that began at this time has lasted at least as long as the threshold."""
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
        """Return the object's events, the latest last, without those of an earlier object of the same name."""
        name = ref(obj)
        apart = self.scope.listed.chosen and not name.namespace
        events = (self._node_events if apart else self._events).get(name)
        if not events:
            return []
        key = (name, obj.metadata.uid)
        if key not in self._events_of:
            self._events_of[key] = [
                event for event in events if name.kind == "Node" or event.involvedObject.uid in ("", obj.metadata.uid)
            ]
        return self._events_of[key].copy()

    def log(self, pod: pb.Pod, container: str, *, previous: bool) -> tuple[str, ...]:
        """Return the last lines of a container's log, or of its `previous` instance's, within bounds.

        Containers of the same name and owner share one log: the first one that is read.

        Raises:
            NotObserved: the log could not be read.
        """
        return self._logs.read(pod, container, previous=previous)

    def derive(self, function: Callable[["Cluster"], T]) -> T:
        """Return the result of a function of the cluster, which is computed once."""
        if function not in self._derived:
            self._derived[function] = function(self)
        result: T = self._derived[function]
        return result

    @cached_property
    def alike_pods(self) -> tuple[Sequence[pb.Pod], ...]:
        """All pods, in groups that have namespace, labels, owner and specification in common, apart from their node.

        What depends on these alone is asked of the first pod of each group.
        """
        return alike(self.pods)

    @cached_property
    def nodes_by_name(self) -> Mapping[str, pb.Node]:
        """All nodes, by name."""
        return {node.metadata.name: node for node in self.nodes}

    @cached_property
    def claims_by_name(self) -> Mapping[tuple[str, str], pb.PersistentVolumeClaim]:
        """All PersistentVolumeClaims, by namespace and name."""
        return {(claim.metadata.namespace, claim.metadata.name): claim for claim in self.claims}

    @cached_property
    def volumes_by_name(self) -> Mapping[str, pb.PersistentVolume]:
        """All PersistentVolumes, by name."""
        return {volume.metadata.name: volume for volume in self.volumes}

    @cached_property
    def pods_by_claim(self) -> Mapping[tuple[str, str], list[pb.Pod]]:
        """The unfinished pods that use a PersistentVolumeClaim, by the claim's namespace and name."""
        index: dict[tuple[str, str], list[pb.Pod]] = defaultdict(list)
        for pods in self.alike_pods:
            for pod in pods if pods[0].spec.volumes else ():
                if not is_finished(pod):
                    for name in claim_names(pod):
                        index[pod.metadata.namespace, name].append(pod)
        return index


def claim_name(pod: pb.Pod, volume: pb.Volume) -> str:
    """Return the name of the claim behind a pod's volume, or nothing; an ephemeral volume's is POD-VOLUME."""
    if volume.volumeSource.HasField("ephemeral"):
        return f"{pod.metadata.name}-{volume.name}"
    return volume.volumeSource.persistentVolumeClaim.claimName


def claim_names(pod: pb.Pod) -> list[str]:
    """Return the names of the PersistentVolumeClaims that the pod uses."""
    return [name for volume in pod.spec.volumes if (name := claim_name(pod, volume))]


def seen_ago(event: pb.Event, cluster: Cluster) -> float:
    """Return the seconds since the event was last seen."""
    return cluster.now.timestamp() - last_seen(event)
