"""What container runtimes and CNI plugins say when a pod gets no sandbox, and what each text means.

Every text is cited with the project and the file, or the issue, where it stands. The first one that matches counts.
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
    """A text, the variant of ip-allocation that it tells of, and what it means.

    Attributes:
        text: a regular expression.
        source: the project and the file, or the issue, where the text stands.
    """

    variant: str
    text: str
    means: str
    source: str


ERRORS = (
    SandboxError(
        EXHAUSTED,
        r"no IP addresses available in range set",
        "the node's address range is used up (host-local)",
        "containernetworking/plugins plugins/ipam/host-local/backend/allocator/allocator.go",
    ),
    SandboxError(
        EXHAUSTED,
        r"Assigned 0 out of \d+ requested IPv[46] addresses",
        "Calico's IP pools have no free address for the node",
        "projectcalico/calico libcalico-go/lib/ipam/ipam.go",
    ),
    SandboxError(
        EXHAUSTED,
        r"failed to assign an IP address to container",
        "the AWS VPC CNI has no free address: the node's interfaces or their subnet are used up",
        "aws/amazon-vpc-cni-k8s cmd/routed-eni-cni-plugin/cni.go",
    ),
    SandboxError(
        EXHAUSTED,
        r"(?:no|not enough) IPs available\b.{0,120}, waiting on Azure CNS",
        "Azure CNS has no free address for the node",
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
        "the node's pool of Azure addresses is used up",
        "Azure/azure-container-networking issue 333, Azure/aks-engine issue 4263",
    ),
    SandboxError(
        EXHAUSTED,
        r"postIpam\w{0,40} .{0,40}(?:range is full|No more IPs available|all CIDR ranges are exhausted"
        r"|no IPs currently available)",
        "the node's Cilium addresses are used up",
        "cilium/cilium pkg/ipam/service/ipallocator/allocator.go, pkg/ipam/crd.go, issues 10627, 17691 and 46598",
    ),
    SandboxError(
        EXHAUSTED,
        r"Could not allocate IP in range",
        "the network's address range is used up (Whereabouts)",
        "k8snetworkplumbingwg/whereabouts pkg/allocate/allocate.go",
    ),
    SandboxError(
        MISCONFIGURED,
        r"cni plugin not initialized|NetworkPluginNotReady",
        "the node has no CNI configuration that can be loaded",
        "containerd/go-cni errors.go, containerd/containerd pkg/cri/server/status.go",
    ),
    SandboxError(
        MISCONFIGURED,
        r"(?i)no CNI configuration file in",
        "the node has no CNI configuration that can be loaded",
        "cri-o/ocicni pkg/ocicni/ocicni.go",
    ),
    SandboxError(
        MISCONFIGURED,
        r"failed to find plugin \"[^\"]{1,80}\" in path",
        "a CNI plugin that the node's configuration names is not installed there",
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
        "the node's CNI configuration has a subnet that is none",
        "golang/go src/net/ip.go",
    ),
    SandboxError(
        MISCONFIGURED,
        r"no configured Calico pools for node",
        "no Calico IP pool is meant for the node",
        "projectcalico/calico libcalico-go/lib/ipam/ipam.go",
    ),
    SandboxError(
        MISCONFIGURED,
        r"cannot find a network-attachment-definition",
        "the pod asks Multus for a network that does not exist",
        "k8snetworkplumbingwg/multus-cni pkg/k8sclient/k8sclient.go",
    ),
    SandboxError(
        UNREACHABLE,
        r"check that the calico/node container is running",
        "calico-node has not started on the node",
        "projectcalico/calico cni-plugin/pkg/plugin/plugin.go",
    ),
    SandboxError(
        UNREACHABLE,
        r"unable to connect to Cilium agent",
        "the Cilium agent of the node does not answer",
        "cilium/cilium plugins/cilium-cni/cmd/cmd.go",
    ),
    SandboxError(
        UNREACHABLE,
        r"Error received from AddNetwork gRPC call",
        "the aws-node pod of the node does not answer",
        "aws/amazon-vpc-cni-k8s cmd/routed-eni-cni-plugin/cni.go",
    ),
    SandboxError(
        UNREACHABLE,
        r"loadFlannelSubnetEnv failed|failed to load flannel 'subnet\.env' file",
        "flanneld has not started on the node",
        "flannel-io/cni-plugin flannel.go, flannel-io/flannel issue 2437",
    ),
    SandboxError(
        UNREACHABLE,
        r"unable to allocate IP address: (?:Post|Get) ",
        "the Weave pod of the node does not answer",
        "weaveworks/weave plugin/net/cni.go",
    ),
    SandboxError(
        UNREACHABLE,
        r"timed out waiting for annotations",
        "OVN-Kubernetes has not set up the pod's network in time",
        "ovn-kubernetes/ovn-kubernetes go-controller/pkg/cni/utils.go",
    ),
    SandboxError(
        UNREACHABLE,
        r"(?i)waiting for ReadinessIndicatorFile",
        "Multus waits for the default network, whose pod on the node is not ready",
        "k8snetworkplumbingwg/multus-cni pkg/multus/multus.go",
    ),
    SandboxError(
        UNREACHABLE,
        r"connection refused|dial unix \S{1,200}: connect: no such file or directory",
        "what the CNI plugin asks does not answer: its daemon on the node, or the API server",
        "golang/go src/syscall/zerrors_linux_amd64.go",
    ),
    SandboxError(
        UNREACHABLE,
        r"context deadline exceeded|i/o timeout|TLS handshake timeout",
        "the CNI plugin, or what it asks, does not answer in time",
        "golang/go src/context/context.go, src/internal/poll/fd.go, src/net/http/transport.go",
    ),
)

OOM_TEXT = re.compile(r"OOM-killed|memory limit (?:\d{1,20} |could be )?too low", re.IGNORECASE)
"""What is said when a memory limit is too small for a sandbox or a container to start: by runc
(libcontainer/process_linux.go), crun (src/libcrun/container.c) and CRI-O (internal/config/cgmgr/cgmgr_linux.go)."""

_NOT_OURS = re.compile(rf"{OOM_TEXT.pattern}|no space left on device", re.IGNORECASE)
"""A sandbox that runs into a memory limit or a full disk: other causes tell of these."""

_OTHER = SandboxError(UNKNOWN, "", "", "")


def explain(words: str) -> SandboxError | None:
    """Return what a text means; nothing where it tells of no sandbox fault."""
    if not words or _NOT_OURS.search(words):
        return None
    return next((error for error in ERRORS if re.search(error.text, words)), _OTHER)


def is_known(words: str) -> bool:
    """Return whether a text is in the table, or is another cause's."""
    return explain(words) is not _OTHER


_PREAMBLE = re.compile(
    r"^(?:\(combined from similar events\): |Failed to create pod sandbox: |rpc error: code = \w{1,40} desc = "
    r"|failed to setup network for sandbox \"[0-9a-f]{0,64}\": )+"
)
_RANDOM = re.compile(r"\b(?:[0-9a-f]{12,64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b")


def plain(words: str, pod: pb.Pod) -> str:
    """Return a text without its preamble and without what differs from pod to pod: its name and random ids."""
    words = _PREAMBLE.sub("", words)
    if pod.metadata.name:
        words = words.replace(pod.metadata.name, "…")
    return _RANDOM.sub("…", words).strip()
