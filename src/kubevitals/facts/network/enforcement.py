"""Whether network policies are enforced in the cluster, and by which kinds of policies beside Kubernetes' own."""

import re
from typing import Any

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.declared import Resource
from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.facts.network import cni
from kubevitals.facts.nodes.distributions import built_in_enforcement
from kubevitals.facts.nodes.lifecycle import our_nodes
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.listing import Kind
from kubevitals.inventory.served import list_if_served
from kubevitals.text import clean

ENFORCERS = ("kube-network-policies", "azure-npm", "kube-router")
"""Parts of the names of images that enforce policies beside a CNI: of flannel's chart (netpol), of Azure, of others."""

KINDNET_ENFORCES = 20240813
"""The date in the tag of the first released kindnetd that enforces policies: kind v0.24.0 (kubernetes-sigs/kind#3612).
"""

_DATED = re.compile(r":v(20\d{6})-[0-9a-f]{6,40}\Z")


class AdminNetworkPolicy(Resource, frozen=True):
    """A policy of an administrator (sigs.k8s.io/network-policy-api)."""


class NetworkPolicy(Resource, frozen=True):
    """A policy of Calico for one namespace."""


class GlobalNetworkPolicy(Resource, frozen=True):
    """A policy of Calico for all namespaces."""


class CiliumNetworkPolicy(Resource, frozen=True):
    """A policy of Cilium for one namespace."""


class CiliumClusterwideNetworkPolicy(Resource, frozen=True):
    """A policy of Cilium for all namespaces."""


FOR_ALL_NAMESPACES: tuple[Kind[Any], ...] = (
    Kind("/apis/crd.projectcalico.org/v1/globalnetworkpolicies", GlobalNetworkPolicy, namespaced=False, optional=True),
    Kind(
        "/apis/cilium.io/v2/ciliumclusterwidenetworkpolicies",
        CiliumClusterwideNetworkPolicy,
        namespaced=False,
        optional=True,
    ),
)
OTHERS: tuple[Kind[Any], ...] = (
    *FOR_ALL_NAMESPACES,
    Kind("/apis/crd.projectcalico.org/v1/networkpolicies", NetworkPolicy, namespaced=True, optional=True),
    Kind("/apis/cilium.io/v2/ciliumnetworkpolicies", CiliumNetworkPolicy, namespaced=True, optional=True),
    Kind(
        "/apis/policy.networking.k8s.io/v1alpha1/adminnetworkpolicies",
        AdminNetworkPolicy,
        namespaced=False,
        optional=True,
    ),
)
"""Paths: projectcalico/calico libcalico-go/config/crd, cilium/cilium pkg/k8s/apis/cilium.io/client/crds,
kubernetes-sigs/network-policy-api config/crd."""


def need_enforcement(cluster: Cluster) -> None:
    """Require that the cluster's CNI enforces network policies.

    Raises:
        NotApplicable: it does not.
        NotObserved: it may or may not.
    """
    if any(_has_enforcer(daemon_set) for daemon_set in cluster.daemon_sets):
        return
    try:
        of_cni = cni.daemon_sets(cluster)
    except NotApplicable as built_in:
        _need_built_in_enforcement(str(built_in), cluster)
        return
    known = [(daemon_set, known) for daemon_set in of_cni for known in cni.RECOGNISED if cni.is_of(daemon_set, known)]
    enforces = [_kindnet_enforces(ds) if one.name == "kindnet" else one.enforces for ds, one in known]
    if any(enforces):
        return
    names = ", ".join(sorted({one.name for _, one in known})) or "the CNI"
    if not enforces or None in enforces:
        images = sorted({clean(c.image, 200) for ds in of_cni for c in ds.spec.template.spec.containers})
        raise NotObserved(
            f"{names} may or may not enforce network policies: its image {', '.join(images[:2])} tells not"
        )
    raise NotApplicable(f"{names} does not enforce network policies")


def _need_built_in_enforcement(built_in: str, cluster: Cluster) -> None:
    """Require that the CNI that the nodes have built in enforces network policies.

    Raises:
        NotApplicable: it does not.
        NotObserved: it may or may not.
    """
    enforces = built_in_enforcement(cluster.derive(our_nodes))
    if enforces is None:
        raise NotObserved(f"{built_in}, and may or may not enforce network policies")
    if not enforces:
        raise NotApplicable(f"{built_in}, and does not enforce network policies")


def _has_enforcer(daemon_set: pb.DaemonSet) -> bool:
    images = (container.image for container in daemon_set.spec.template.spec.containers)
    return any(name in image.rpartition("/")[2] for image in images for name in ENFORCERS)


def _kindnet_enforces(daemon_set: pb.DaemonSet) -> bool | None:
    dates = [_DATED.search(container.image[-80:]) for container in daemon_set.spec.template.spec.containers]
    return next((int(date[1]) >= KINDNET_ENFORCES for date in dates if date), None)


def need_no_other_policies(cluster: Cluster) -> None:
    """Require that no policies of other kinds exist: they may allow what NetworkPolicies do not.

    Raises:
        NotObserved: there are some, or that cannot be seen.
    """
    for kind in OTHERS:
        if policies := list_if_served(kind, cluster):
            raise NotObserved(
                f"{kind.schema.__name__} {clean(policies[0].metadata.name, 300)} may allow what NetworkPolicies do not"
            )
