"""CSI drivers whose node plugin does not run or is not registered, and those that only look like it."""

from scenarios.harness import Seen, scenario
from scenarios.objects import claim, claiming, csi_driver, daemon_set, mounting, pod, volume

MOUNT_FAILED = "volume-claim[mount-failed] PersistentVolumeClaim/data"


def plugin(driver: str, sh: str = "sleep 1d", *, room: str = "", ready: bool = True) -> dict[str, object]:
    """Return a DaemonSet that looks like a CSI driver's node plugin."""
    plugin_set = daemon_set(
        "plugin", sh=sh, room=room, volumes=mounting(hostPath={"path": f"/var/lib/kubelet/plugins/{driver}"})
    )
    if not ready:
        plugin_set["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] = {"exec": {"command": ["false"]}}
    return plugin_set


def register(driver: str, node: str) -> str:
    """Return the command that registers a driver on a node, as its node-driver-registrar would."""
    return (
        f"patch csinode {{cluster}}-{node} "
        f'-p={{"spec":{{"drivers":[{{"name":"{driver}","nodeID":"{node}","topologyKeys":[]}}]}}}}'
    )


@scenario(
    csi_driver("not-here.example", attach=False),
    volume("no-driver", "csi-4", csi={"driver": "not-here.example", "volumeHandle": "4"}),
    claim(storage_class="csi-4"),
    pod("app", volumes=claiming(), room="a"),
    finds=[MOUNT_FAILED],
)
def test_driver_not_on_the_node(seen: Seen) -> None:
    """No plugin of the driver runs on the node."""
    assert seen.says("not found in the list of registered CSI drivers")


@scenario(
    csi_driver("plugin-down.example"),
    plugin("plugin-down.example", ready=False),
    finds=["volume-claim[driver-down] CSIDriver/plugin-down.example", "readiness[probe-failing] Pod/plugin-*"],
)
def test_driver_pods_down(seen: Seen) -> None:
    """No volume needs the driver yet."""
    assert seen.says("is not ready: 2 pods of it are down")


@scenario(
    csi_driver("plugin-crashing.example"),
    plugin(
        "plugin-crashing.example", "echo 'listen unix /csi/csi.sock: bind: address already in use'; exit 1", room="a"
    ),
    finds=["volume-claim[driver-down] CSIDriver/plugin-crashing.example", "startup-error[app-exit] Pod/plugin-*"],
)
def test_driver_pod_crashes(seen: Seen) -> None:
    """The log of the plugin's container says why; its crash is a symptom."""
    assert seen.says('container "app" keeps crashing: exit code 1 (general error): the socket /csi/csi.sock is already')


@scenario(
    csi_driver("half-registered.example"),
    plugin("half-registered.example"),
    then=[register("half-registered.example", "worker2")],
    finds=["volume-claim[driver-down] Node/worker"],
)
def test_driver_missing_on_one_node(seen: Seen) -> None:
    """The plugin runs on both workers and is registered on one."""
    assert seen.says("CSI driver half-registered.example is not registered")


@scenario(
    csi_driver("room-b-only.example"),
    plugin("room-b-only.example", room="b"),
    then=[register("room-b-only.example", "worker2")],
)
def test_driver_limited_to_some_nodes(seen: Seen) -> None:
    """A node selector limits the driver to some nodes."""
    assert any(d.name == "room-b-only.example" for n in seen.cluster.csi_nodes for d in n.spec.drivers)
