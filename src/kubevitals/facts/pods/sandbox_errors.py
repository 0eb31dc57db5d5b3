"""Error messages of container runtimes and CNI plugins when a pod sandbox cannot be created, and what they mean.

Each message is cited with the project and the file, or the issue, where it is found. The first match counts.
"""

import re
from dataclasses import dataclass

from kubevitals import schema_pb2 as pb

EXHAUSTED, UNREACHABLE, MISCONFIGURED, UNKNOWN = (
    "pool-exhausted",
    "cni-unreachable",
    "cni-misconfigured",
    "sandbox-failed",
)


@dataclass(frozen=True, slots=True)
class SandboxError:
    """An error message, and the variant of ip-allocation to which it belongs.

    Attributes:
        text: a regular expression that matches the message.
        means: what it means, in words that follow "gets no network".
        source: the project and the file, or the issue, where the message is found.
    """

    variant: str
    text: str
    means: str
    source: str


ERRORS = (
    SandboxError(
        EXHAUSTED,
        r"no IP addresses available in range set",
        "all addresses of the node's range are in use (host-local)",
        "containernetworking/plugins plugins/ipam/host-local/backend/allocator/allocator.go",
    ),
    SandboxError(
        EXHAUSTED,
        r"Assigned 0 out of \d+ requested IPv[46] addresses",
        "Calico's IP pools have no free address for this node",
        "projectcalico/calico libcalico-go/lib/ipam/ipam.go",
    ),
    SandboxError(
        EXHAUSTED,
        r"failed to assign an IP address to container",
        "the AWS VPC CNI has no free address on the node's interfaces or in their subnet",
        "aws/amazon-vpc-cni-k8s cmd/routed-eni-cni-plugin/cni.go",
    ),
    SandboxError(
        EXHAUSTED,
        r"(?:no|not enough) IPs available\b.{0,120}, waiting on Azure CNS",
        "Azure CNS has no free address for this node",
        "Azure/azure-container-networking cns/restserver/ipam.go, issue 2999",
    ),
    SandboxError(
        EXHAUSTED,
        r"InsufficientFreeAddressesInSubnet|InsufficientCidrBlocks",
        "the AWS subnet has no free address",
        "aws/aws-sdk-go service/ec2 error codes",
    ),
    SandboxError(
        EXHAUSTED,
        r"Failed to allocate (?:address: No available addresses|pool: No available address pools)",
        "all addresses of the node's Azure pool are in use",
        "Azure/azure-container-networking issue 333, Azure/aks-engine issue 4263",
    ),
    SandboxError(
        EXHAUSTED,
        r"postIpam\w{0,40} .{0,40}(?:range is full|No more IPs available|all CIDR ranges are exhausted"
        r"|no IPs currently available)",
        "all addresses that Cilium has for this node are in use",
        "cilium/cilium pkg/ipam/service/ipallocator/allocator.go, pkg/ipam/crd.go, issues 10627, 17691 and 46598",
    ),
    SandboxError(
        EXHAUSTED,
        r"Could not allocate IP in range",
        "all addresses of the network's range are in use (Whereabouts)",
        "k8snetworkplumbingwg/whereabouts pkg/allocate/allocate.go",
    ),
    SandboxError(
        MISCONFIGURED,
        r"cni plugin not initialized|NetworkPluginNotReady",
        "the node has no valid CNI configuration",
        "containerd/go-cni errors.go, containerd/containerd pkg/cri/server/status.go",
    ),
    SandboxError(
        MISCONFIGURED,
        r"(?i)no CNI configuration file in",
        "the node has no valid CNI configuration",
        "cri-o/ocicni pkg/ocicni/ocicni.go",
    ),
    SandboxError(
        MISCONFIGURED,
        r"failed to find plugin \"[^\"]{1,80}\" in path",
        "a CNI plugin that the node's CNI configuration uses is not installed there",
        "containernetworking/cni pkg/invoke/find.go",
    ),
    SandboxError(
        MISCONFIGURED,
        r"error parsing configuration",
        "the node's CNI configuration cannot be read",
        "containernetworking/cni libcni/conf.go",
    ),
    SandboxError(
        MISCONFIGURED,
        r"invalid CIDR address",
        "the node's CNI configuration has an invalid subnet",
        "golang/go src/net/ip.go",
    ),
    SandboxError(
        MISCONFIGURED,
        r"no configured Calico pools for node",
        "no Calico IPPool selects this node",
        "projectcalico/calico libcalico-go/lib/ipam/ipam.go",
    ),
    SandboxError(
        MISCONFIGURED,
        r"cannot find a network-attachment-definition",
        "the pod references a NetworkAttachmentDefinition that does not exist (Multus)",
        "k8snetworkplumbingwg/multus-cni pkg/k8sclient/k8sclient.go",
    ),
    SandboxError(
        UNREACHABLE,
        r"check that the calico/node container is running",
        "calico-node is not running on the node",
        "projectcalico/calico cni-plugin/pkg/plugin/plugin.go",
    ),
    SandboxError(
        UNREACHABLE,
        r"unable to connect to Cilium agent",
        "the Cilium agent on the node does not answer",
        "cilium/cilium plugins/cilium-cni/cmd/cmd.go",
    ),
    SandboxError(
        UNREACHABLE,
        r"Error received from AddNetwork gRPC call",
        "the aws-node pod on the node does not answer",
        "aws/amazon-vpc-cni-k8s cmd/routed-eni-cni-plugin/cni.go",
    ),
    SandboxError(
        UNREACHABLE,
        r"loadFlannelSubnetEnv failed|failed to load flannel 'subnet\.env' file",
        "flanneld has not written /run/flannel/subnet.env on the node",
        "flannel-io/cni-plugin flannel.go, flannel-io/flannel issue 2437",
    ),
    SandboxError(
        UNREACHABLE,
        r"unable to allocate IP address: (?:Post|Get) ",
        "the Weave Net pod on the node does not answer",
        "weaveworks/weave plugin/net/cni.go",
    ),
    SandboxError(
        UNREACHABLE,
        r"timed out waiting for annotations",
        "OVN-Kubernetes did not set up the pod's network in time",
        "ovn-kubernetes/ovn-kubernetes go-controller/pkg/cni/utils.go",
    ),
    SandboxError(
        UNREACHABLE,
        r"(?i)waiting for ReadinessIndicatorFile",
        "Multus waits for the CNI of the default network, which is not ready on the node",
        "k8snetworkplumbingwg/multus-cni pkg/multus/multus.go",
    ),
    SandboxError(
        UNREACHABLE,
        r"connection refused|dial unix \S{1,200}: connect: no such file or directory",
        "the CNI plugin cannot connect to its daemon on the node, or to the API server",
        "golang/go src/syscall/zerrors_linux_amd64.go",
    ),
    SandboxError(
        UNREACHABLE,
        r"context deadline exceeded|i/o timeout|TLS handshake timeout",
        "the CNI plugin got no answer in time",
        "golang/go src/context/context.go, src/internal/poll/fd.go, src/net/http/transport.go",
    ),
)

OOM_TEXT = re.compile(r"OOM-killed|memory limit (?:\d{1,20} |could be )?too low", re.IGNORECASE)
"""Messages about a memory limit that is too small for a sandbox or a container to start: from runc
(libcontainer/process_linux.go), crun (src/libcrun/container.c) and CRI-O (internal/config/cgmgr/cgmgr_linux.go)."""

_NOT_OURS = re.compile(rf"{OOM_TEXT.pattern}|no space left on device", re.IGNORECASE)
"""A sandbox that hits a memory limit or a full disk belongs to another cause."""

_OTHER = SandboxError(UNKNOWN, "", "", "")


def explain(message: str) -> SandboxError | None:
    """Return what a message means; None if it belongs to another cause or is empty."""
    if not message or _NOT_OURS.search(message):
        return None
    return next((error for error in ERRORS if re.search(error.text, message)), _OTHER)


def is_known(message: str) -> bool:
    """Return whether a message is in the table, or belongs to another cause."""
    return explain(message) is not _OTHER


_PREAMBLE = re.compile(
    r"^(?:\(combined from similar events\): |Failed to create pod sandbox: |rpc error: code = \w{1,40} desc = "
    r"|failed to setup network for sandbox \"[0-9a-f]{0,64}\": )+"
)
_RANDOM = re.compile(r"\b(?:[0-9a-f]{12,64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b")


def plain(message: str, pod: pb.Pod) -> str:
    """Return a message without its preamble and without what differs between pods: the pod's name and random ids."""
    message = _PREAMBLE.sub("", message)
    if pod.metadata.name:
        message = message.replace(pod.metadata.name, "…")
    return _RANDOM.sub("…", message).strip()
