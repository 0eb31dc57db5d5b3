"""The incident that `--snapshot demo` shows."""

from scenarios.harness import Seen, scenario
from scenarios.incident import shop_in_trouble


@scenario(
    fault=shop_in_trouble,
    probe=True,
    on_demand=True,
    finds=[
        "kube-proxy[unhealthy] Node/worker2",
        "kube-proxy[rules-wrong] Node/worker2",
        "cluster-dns[service-unreachable] Node/worker2",
        "startup-error[app-exit] Pod/frontend-*",
        "startup-error[app-exit] Pod/checkout-*",
        "volume-claim[unbound] PersistentVolumeClaim/data",
        "scheduling[unschedulable] Pod/db-*",
        "service-endpoints[none-ready] Service/db",
        "startup-error[app-exit] Pod/orders-*",
        "memory-limit[oom-killed] Pod/recommendation-*",
        "config-mount[missing-object] Pod/email-*",
        "startup-error[image] Pod/search-*",
    ],
)
def test_shop_incident(seen: Seen) -> None:
    """Pods on one node find no name, a database has no volume, and three workloads have faults of their own."""
    assert seen.says("bad address 'cart:8080'")
    assert seen.says('StorageClass "fast-ssd" does not exist')
