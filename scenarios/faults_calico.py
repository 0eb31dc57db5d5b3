"""Faults of Calico; each is undone when its context manager is left."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scenarios.objects import Object
from scenarios.undoing import doing, nothing, on_node, together

if TYPE_CHECKING:
    from scenarios.harness import Fault
    from scenarios.live import LiveCluster

API = "crd.projectcalico.org/v1"
NO_NODE = "!all()"
"""The nodeSelector of a pool that only those use that ask for it by an annotation."""


def ip_pool(name: str, cidr: str, *, block_size: int, nodes: str = "all()") -> Object:
    """A pool for pods alone: it has no addresses for tunnels."""
    spec = {"cidr": cidr, "blockSize": block_size, "nodeSelector": nodes, "allowedUses": ["Workload"]}
    spec |= {"vxlanMode": "CrossSubnet", "ipipMode": "Never", "natOutgoing": True}
    return {"apiVersion": API, "kind": "IPPool", "metadata": {"name": name}, "spec": spec}


def global_policy(name: str, **spec: Any) -> Object:
    return {"apiVersion": API, "kind": "GlobalNetworkPolicy", "metadata": {"name": name}, "spec": spec}


def default_pool(**spec: Any) -> "Fault":
    """Change the pool that Calico created, and set what was changed back."""
    usual = {"disabled": False, "nodeSelector": "all()"}

    def change(cluster: "LiveCluster", fields: Object) -> None:
        patch = json.dumps({"spec": fields})
        cluster.kubectl(["patch", "ippools.crd.projectcalico.org", "default-ipv4-ippool", "--type=merge", "-p", patch])

    return doing(lambda cluster: change(cluster, spec), lambda cluster: change(cluster, {k: usual[k] for k in spec}))


def strict_affinity(cluster: "LiveCluster", *, strict: bool) -> None:
    spec = {"strictAffinity": strict, "autoAllocateBlocks": True, "maxBlocksPerHost": 0}
    cluster.apply([{"apiVersion": API, "kind": "IPAMConfig", "metadata": {"name": "default"}, "spec": spec}])


def existing(*objects: Object) -> "Fault":
    """Create objects that no namespace has, and delete them afterwards."""
    names = [f"{obj['kind'].lower()}s.{API.partition('/')[0]}/{obj['metadata']['name']}" for obj in objects]
    names = [name.replace("policys.", "policies.") for name in names]
    return doing(lambda cluster: cluster.apply(objects), lambda cluster: cluster.kubectl(["delete", *names]))


def namespace_with(name: str, *objects: Object, pools: str = "") -> "Fault":
    """Create a namespace, perhaps with pools of its own, and pods that run before those of the scenario exist."""

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        cluster.apply([], name)
        if pools:
            cluster.kubectl(f'annotate namespace {name} cni.projectcalico.org/ipv4pools=["{pools}"]')
        cluster.apply(objects, name)
        if objects:
            cluster.kubectl(f"-n {name} wait --for=condition=Ready pod --all --timeout=600s")
        try:
            yield
        finally:
            cluster.kubectl(f"delete namespace {name} --ignore-not-found --timeout=600s")

    return fault


_KUBECONFIG = "/etc/cni/net.d/calico-kubeconfig"


def token_refused(node: str) -> "Fault":
    """Give the CNI plugin a token that the API server does not know."""
    change = f"cp {_KUBECONFIG} /root/ && sed -i 's/token: .*/token: unknown/' {_KUBECONFIG}"
    return on_node(node, change, f"cp /root/calico-kubeconfig {_KUBECONFIG}")


def calico_node_crashing(node: str) -> "Fault":
    """Put a folder where calico-node writes the node's name when it starts."""
    path = "/var/lib/calico/nodename"

    def restart(cluster: "LiveCluster", script: str) -> None:
        cluster.on_node(node, script)
        on = f"--field-selector=spec.nodeName={cluster.name}-{node}"
        cluster.kubectl(f"-n kube-system delete pod -l k8s-app=calico-node {on}")

    return doing(
        lambda cluster: restart(cluster, f"rm {path} && mkdir {path}"),
        lambda cluster: restart(cluster, f"rmdir {path}"),
    )


def kube_controllers_stopped() -> "Fault":
    """Stop calico-kube-controllers, which releases the addresses of pods and nodes that are gone."""
    in_system, name = "-n kube-system", "calico-kube-controllers"

    def stop(cluster: "LiveCluster") -> None:
        cluster.kubectl(f"{in_system} scale deployment/{name} --replicas=0")
        cluster.kubectl(f"{in_system} delete pod -l k8s-app={name} --wait --timeout=300s")

    return doing(stop, lambda cluster: cluster.kubectl(f"{in_system} scale deployment/{name} --replicas=1"))


def node_deleted(node: str) -> "Fault":
    """Stop a node's kubelet and delete the Node, as if the machine were gone; the kubelet then registers it again."""

    def delete(cluster: "LiveCluster") -> None:
        cluster.on_node(node, "systemctl stop kubelet")
        cluster.kubectl(f"delete node {cluster.name}-{node}")

    return doing(delete, lambda cluster: cluster.on_node(node, "systemctl start kubelet"))


_IPAM = "/opt/cni/bin/calico-ipam"
_ONLY_ASSIGN = "#!/bin/bash\n[ $CNI_COMMAND = DEL ] || exec /root/calico-ipam\n"


def addresses_not_released(node: str, namespace: str) -> "Fault":
    """Delete all pods of a namespace while the IPAM plugin of a node assigns addresses, but releases none."""
    change = f"cp {_IPAM} /root/ && rm {_IPAM} && printf '{_ONLY_ASSIGN}' > {_IPAM} && chmod +x {_IPAM}"
    delete = f"-n {namespace} delete pod --all --wait --timeout=600s"
    return together(
        on_node(node, change, f"cp /root/calico-ipam {_IPAM}"), doing(lambda cluster: cluster.kubectl(delete), nothing)
    )
