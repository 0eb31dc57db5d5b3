"""Pods that get no node, each for another reason, and pods that wait for one on purpose."""

from scenarios.faults import cordoned
from scenarios.harness import Seen, scenario
from scenarios.objects import HOSTNAME, Object, deployment, pod

UNSCHEDULABLE = "scheduling[unschedulable] Pod/app"
WEB = {"matchLabels": {"app": "web"}}


def requests(**amounts: str) -> Object:
    return {"requests": amounts}


@scenario(pod("app", resources=requests(cpu="1000")), finds=[UNSCHEDULABLE])
def test_no_node_is_large_enough(seen: Seen) -> None:
    """It wants more CPU than any node has."""
    assert seen.says("it requests 1000 CPU, and the node with most has")


@scenario(pod("app", nodeSelector={"disk": "ssd"}), finds=[UNSCHEDULABLE])
def test_no_node_has_the_label(seen: Seen) -> None:
    """Nobody has labelled a node."""
    assert seen.says("no node has the label disk=ssd, which its nodeSelector requires")


@scenario(pod("app", nodeSelector={"node-role.kubernetes.io/control-plane": ""}), finds=[UNSCHEDULABLE])
def test_taint_is_not_tolerated(seen: Seen) -> None:
    """The only node with the label is tainted."""
    assert seen.says("it does not tolerate the taint node-role.kubernetes.io/control-plane:NoSchedule of node")


@scenario(pod("app", room="b"), fault=cordoned("worker2"), finds=[UNSCHEDULABLE])
def test_the_only_node_that_fits_is_cordoned(seen: Seen) -> None:
    """Uncordon it, and the pod runs."""
    assert seen.says("worker2 is cordoned")
    assert seen.says("kubectl uncordon")


@scenario(
    deployment("web", 3, ports=[{"containerPort": 18080, "hostPort": 18080}]),
    finds=["scheduling[unschedulable] Pod/web-*"],
)
def test_host_port_is_taken(seen: Seen) -> None:
    """Two workers have the port once each, and there are three replicas."""
    assert seen.says("host port 18080 is taken on")


@scenario(
    deployment(
        "web",
        3,
        affinity={
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [{"labelSelector": WEB, "topologyKey": HOSTNAME}]
            }
        },
    ),
    finds=["scheduling[unschedulable] Pod/web-*"],
)
def test_more_replicas_than_nodes(seen: Seen) -> None:
    """Three replicas that stay apart have two workers."""
    assert seen.says("its pod anti-affinity by kubernetes.io/hostname rules out")


@scenario(pod("app", schedulerName="absent"), finds=["scheduling[no-scheduler] Pod/app"])
def test_scheduler_does_not_exist(seen: Seen) -> None:
    """Nobody looks at a pod that names a scheduler which does not run."""
    assert seen.says('no scheduler has looked at it: schedulerName is "absent"')


@scenario(pod("app", schedulingGates=[{"name": "example.com/wait"}]))
def test_scheduling_is_gated(seen: Seen) -> None:
    """The pod waits until its gate is removed."""
    assert any(c.reason == "SchedulingGated" for c in seen.get("Pod/app").status.conditions)
