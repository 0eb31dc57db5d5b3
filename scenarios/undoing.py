"""How faults are built: an action that breaks a cluster, and an action that undoes it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scenarios.harness import Fault
    from scenarios.live import LiveCluster

Action = Callable[["LiveCluster"], Any]


def doing(breaks: Action, undoes: Action) -> "Fault":
    """Run one action to break the cluster, and another one to undo it."""

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        try:
            breaks(cluster)
            yield
        finally:
            undoes(cluster)

    return fault


def together(*faults: "Fault") -> "Fault":
    """Make several faults in this order, and undo them in reverse order."""

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        with ExitStack() as stack:
            for single_fault in faults:
                stack.enter_context(single_fault(cluster))
            yield

    return fault


def nothing(cluster: "LiveCluster") -> None:
    """Do nothing."""


def on_node(node: str, breaks: str, undoes: str = "true") -> "Fault":
    """Run a shell script on a node, and another one to undo it; ``{cidr:NODE}`` stands for the podCIDR of a node."""
    return doing(
        *(lambda cluster, script=script: cluster.on_node(node, _fill(script, cluster)) for script in (breaks, undoes))
    )


def _fill(script: str, cluster: "LiveCluster") -> str:
    for role in ("control-plane", "worker2", "worker"):
        if f"{{cidr:{role}}}" in script:
            cidr = cluster.kubectl(f"get node {cluster.name}-{role} -o jsonpath={{.spec.podCIDR}}")
            script = script.replace(f"{{cidr:{role}}}", cidr)
    return script
