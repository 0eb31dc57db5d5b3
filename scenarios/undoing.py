"""What faults are made of: something that breaks a cluster, and something that undoes it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scenarios.harness import Fault
    from scenarios.live import LiveCluster

Action = Callable[["LiveCluster"], Any]


def doing(breaks: Action, mends: Action) -> "Fault":
    """Do one thing, and another to undo it."""

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        try:
            breaks(cluster)
            yield
        finally:
            mends(cluster)

    return fault


def together(*faults: "Fault") -> "Fault":
    """Make several faults, in this order, and undo them in the other."""

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        with ExitStack() as stack:
            for each in faults:
                stack.enter_context(each(cluster))
            yield

    return fault


def nothing(cluster: "LiveCluster") -> None:
    """Do nothing."""


def on_node(node: str, breaks: str, mends: str = "true") -> "Fault":
    """Run a shell script on a node, and another one to undo it; ``{cidr:NODE}`` is a node's podCIDR."""
    return doing(
        *(lambda cluster, script=script: cluster.on_node(node, _fill(script, cluster)) for script in (breaks, mends))
    )


def _fill(script: str, cluster: "LiveCluster") -> str:
    for role in ("control-plane", "worker2", "worker"):
        if f"{{cidr:{role}}}" in script:
            cidr = cluster.kubectl(f"get node {cluster.name}-{role} -o jsonpath={{.spec.podCIDR}}")
            script = script.replace(f"{{cidr:{role}}}", cidr)
    return script
