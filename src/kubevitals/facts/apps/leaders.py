"""Services for the pod that leads a database, while none of its replicas does."""

import re

from kubevitals import schema_pb2 as pb
from kubevitals.facts.apps.selectors import labels_set_later, pods_by_label
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import is_ready

_LEADS = frozenset({"primary", "master", "leader", "active"})
"""Values of the label with which operators mark the pod that leads (cloudnative-pg/cloudnative-pg
pkg/utils/labels_annotations.go, patroni/patroni patroni/dcs/kubernetes.py, OT-CONTAINER-KIT/redis-operator).
"""

_LEADER = re.compile(r"active|leader|primary|master")
"""Words in a label that is true for the pod that leads: vault-active (hashicorp/vault serviceregistration/kubernetes).
"""

_STANDBY = "standby_leader"
"""The value for the pod that leads a standby cluster, which has no primary (patroni/patroni docs/kubernetes.rst)."""


def followers(service: pb.Service, cluster: Cluster) -> int:
    """Return how many ready pods a Service for the leader leaves out although it is theirs: none of them leads.

    They have all labels of its selector but one, which is set on running pods and says that they follow.
    """
    roles = {key for key, value in service.spec.selector.items() if _leads(key, value)}
    rest = {key: value for key, value in service.spec.selector.items() if key not in roles}
    if len(roles) != 1 or not rest:
        return 0
    (role,), place = roles, service.metadata.namespace
    if (place, role) not in cluster.derive(labels_set_later):
        return 0
    pods = [pod for alike in cluster.derive(pods_by_label).matching(place, rest) for pod in alike if is_ready(pod)]
    told = [value for pod in pods if (value := pod.metadata.labels.get(role))]
    return 0 if _STANDBY in told else len(told)


def _leads(key: str, value: str) -> bool:
    return value in _LEADS or (value == "true" and bool(_LEADER.search(key.lower())))
