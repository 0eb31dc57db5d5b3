"""Error messages of container runtimes and CNI plugins when a pod sandbox cannot be created, and what they mean.

Each message is cited with the project and the file, or the issue, where it is found. The first match counts.
"""

import re
from dataclasses import dataclass
from enum import Enum

from kubevitals import schema_pb2 as pb

EXHAUSTED, UNREACHABLE, MISCONFIGURED, UNKNOWN = (
    "pool-exhausted",
    "cni-unreachable",
    "cni-misconfigured",
    "sandbox-failed",
)


class Shared(Enum):
    """Which pods an error affects, beside the one that reports it."""

    POD = "only this pod"
    NODE = "all new pods on the node"
    CLUSTER = "new pods on several nodes: they share a pool of addresses"


@dataclass(frozen=True, slots=True)
class SandboxError:
    """An error message, and the variant of ip-allocation to which it belongs.

    Attributes:
        text: a regular expression that matches the message.
        means: what it means, in words that follow "gets no network"; ``{name}`` stands for a named group of `text`.
        source: the project and the file, or the issue, where the message is found.
        remedy: what to do about it, if that is not the same for all of the variant.
        shared: which other pods it affects.
    """

    variant: str
    text: str
    means: str
    source: str
    remedy: str = ""
    shared: Shared = Shared.NODE

    @property
    def ip_pools(self) -> bool:
        """Whether Calico's IPPools have to do with it."""
        return self.source == _CALICO_IPAM

    def meaning(self, message: str) -> str:
        """Return what a message means that matches this error."""
        match = re.search(self.text, message)
        return self.means.format_map(match.groupdict()) if match else self.means


_CALICO_IPAM = "projectcalico/calico libcalico-go/lib/ipam/ipam.go"

CREDENTIALS = "restore the CNI's kubeconfig on the node: restart the CNI's pod there, which writes it with a new token"

RBAC = "grant the right: restore the ClusterRole and ClusterRoleBinding of the CNI's manifests"

SANDBOX_IMAGE = (
    "preload the image on the node, let the node reach its registry, or correct the sandbox image in the container "
    "runtime's configuration (containerd: sandbox_image, CRI-O: pause_image, cri-dockerd: --pod-infra-container-image)"
)

RUNTIME = "check the container runtime on the node (systemctl status containerd, crio or docker), and read its log"

HANDLER = (
    "install the runtime and its handler in the container runtime's configuration on the node, or let the RuntimeClass "
    "select nodes that have it (scheduling.nodeSelector)"
)

SLOW = "find out what slows the node's container runtime down, mostly its disk; the kubelet retries by itself"

DRIVERS = (
    "set the same cgroup driver for both, and restart them: cgroupDriver in the kubelet's configuration, SystemdCgroup "
    "in containerd's, cgroup_manager in CRI-O's"
)

IP_POOLS = "look at kubectl get ippools -o yaml: enable a pool or add one"

KUBE_OVN = "look at kubectl get subnets.kubeovn.io for free addresses, and at the log of kube-ovn-controller"


USER_NAMESPACES = (
    "leave hostUsers: false out, or let the pod run on nodes that support user namespaces: Linux 6.3, and containerd "
    "2.0 or CRI-O 1.25 with runc 1.2 or crun 1.9"
)

ERRORS = (
    SandboxError(
        UNKNOWN,
        r"failed to get sandbox image \"(?P<image>[^\"]{1,300})\"",
        "the sandbox image {image} is not on the node and cannot be pulled",
        "containerd/containerd pkg/cri/server/sandbox_run.go",
        SANDBOX_IMAGE,
    ),
    SandboxError(
        UNKNOWN,
        r"[Ii]nitializing source docker://(?P<image>[^\s\"]{0,300}pause[^\s\"]{0,300}?):? ",
        "the sandbox image {image} is not on the node and cannot be pulled",
        "containers/image copy/single.go, cri-o/cri-o issue 3571",
        SANDBOX_IMAGE,
    ),
    SandboxError(
        UNKNOWN,
        r"failed pulling image \"(?P<image>[^\"]{1,300})\"",
        "the sandbox image {image} is not on the node and cannot be pulled",
        "Mirantis/cri-dockerd core/helpers.go",
        SANDBOX_IMAGE,
    ),
    SandboxError(
        UNKNOWN,
        r"dial unix (?P<socket>[\w./:-]{0,200}(?:containerd|crio|docker|dockershim|cri-dockerd)\.sock)",
        "the container runtime on the node does not answer at {socket}",
        "kubernetes/cri-client pkg/remote_runtime.go, containerd/containerd defaults/defaults_unix.go",
        RUNTIME,
    ),
    SandboxError(
        UNKNOWN,
        r"operating system of the container does not match|does not match the host operating system",
        "the sandbox image (pause) is not for the node's version of Windows",
        "microsoft/hcsshim (HCS error 0xC0370101), MicrosoftDocs/Virtualization-Documentation issue 1030",
        "configure a sandbox image for that version of Windows in the container runtime on the node, and restart it",
    ),
    SandboxError(
        UNKNOWN,
        r"no runtime for \"(?P<handler>[^\"]{1,253})\" is configured",
        'the container runtime on the node has no handler "{handler}", which the pod\'s RuntimeClass asks for',
        "containerd/containerd internal/cri/config/config.go (2.x), pkg/cri/server/helpers.go (1.x)",
        HANDLER,
        Shared.POD,
    ),
    SandboxError(
        UNKNOWN,
        r"failed to find runtime handler (?P<handler>\S{1,253}) from runtime list",
        'the container runtime on the node has no handler "{handler}", which the pod\'s RuntimeClass asks for',
        "cri-o/cri-o internal/oci/oci.go",
        HANDLER,
        Shared.POD,
    ),
    SandboxError(
        UNKNOWN,
        r"timed out connecting to vsock",
        "the agent in the pod's virtual machine does not answer (Kata Containers)",
        "kata-containers/kata-containers issues 2499 and 11282",
        "load vhost_vsock on the node, and check that it offers virtualization (/dev/kvm); the log of its container "
        "runtime says what the virtual machine waits for",
        Shared.POD,
    ),
    SandboxError(
        UNKNOWN,
        r"create mapped mount for |can't set `spec\.hostUsers: false`",
        "the container runtime on the node, or its file system, does not support user namespaces",
        "kubernetes/kubernetes pull 123216, containers/storage drivers/overlay/overlay.go",
        USER_NAMESPACES,
        Shared.POD,
    ),
    SandboxError(
        UNKNOWN,
        r"name \"?\S{1,400}\"? is reserved\b",
        "an earlier attempt has not ended: the container runtime on the node is slow or hangs",
        "containerd/containerd internal/registrar/registrar.go, cri-o/cri-o internal/registrar/registrar.go",
        SLOW,
    ),
    SandboxError(
        UNKNOWN,
        r"expected cgroupsPath to be of format \"slice:prefix:name\"|received invalid cgroup parent|invalid slice name",
        "the kubelet and the container runtime on the node have different cgroup drivers",
        "opencontainers/runc libcontainer/specconv/spec_linux.go, cri-o/cri-o internal/config/cgmgr/systemd_linux.go",
        DRIVERS,
    ),
    SandboxError(
        UNKNOWN,
        r"cannot load seccomp profile \"(?P<profile>[^\"]{1,300})\"",
        "the seccomp profile {profile} is not on the node",
        "containerd/containerd contrib/seccomp/seccomp.go",
        "put the profile on the node, or correct seccompProfile in the pod's securityContext",
        Shared.POD,
    ),
    SandboxError(
        UNKNOWN,
        r"(?:fork/exec|clone|pthread_create)\b.{0,300}[Rr]esource temporarily unavailable",
        "the node can start no more processes",
        "golang/go src/os/exec_posix.go, src/syscall/zerrors_linux_amd64.go (EAGAIN)",
        "find what starts so many (ps -eLf on the node), and compare with kernel.pid_max and the container runtime's "
        "TasksMax",
    ),
    SandboxError(
        UNKNOWN,
        r"^(?:Failed to create pod sandbox: )?rpc error: code = Unavailable desc = "
        r"(?:error reading from server: EOF|transport is closing)",
        "the container runtime on the node ended while it created the sandbox",
        "grpc/grpc-go internal/transport/http2_client.go",
        RUNTIME,
    ),
    SandboxError(
        MISCONFIGURED,
        r"is forbidden: User \"(?P<user>[^\"]{1,253})\" cannot (?P<verb>\w{1,40}) "
        r"resource \"(?P<resource>[^\"]{1,253})\"",
        "the API server refuses the CNI: {user} has no right to {verb} {resource}",
        "kubernetes/apiserver pkg/endpoints/handlers/responsewriters/errors.go",
        RBAC,
    ),
    SandboxError(
        MISCONFIGURED,
        r"connection is unauthorized|\bUnauthorized\b",
        "the API server refuses the CNI's credentials",
        "projectcalico/calico libcalico-go/lib/errors/errors.go, kubernetes/apimachinery pkg/api/errors/errors.go",
        CREDENTIALS,
    ),
    SandboxError(
        MISCONFIGURED,
        r"x509: certificate (?P<why>signed by unknown authority|has expired or is not yet valid)",
        "the CNI does not accept the API server's certificate ({why})",
        "golang/go src/crypto/x509/verify.go",
        CREDENTIALS,
    ),
    SandboxError(
        MISCONFIGURED,
        r'"(?P<bridge>[\w.-]{1,15})" already has an IP address different from (?P<address>[\w.:/]{1,50})',
        "the bridge {bridge} on the node has an address of another range than {address}, which the node has now",
        "containernetworking/plugins plugins/main/bridge/bridge.go",
        "drain the node, delete the bridge there (ip link delete), and restart the CNI's pod: the bridge is created "
        "again with the node's range",
    ),
    SandboxError(
        MISCONFIGURED,
        r'could not add IP address to "(?P<bridge>[\w.-]{1,15})": permission denied',
        "the bridge {bridge} on the node gets no IPv6 address: IPv6 is disabled there",
        "linux net/ipv6/addrconf.c (disable_ipv6), cri-o/cri-o#3555",
        "remove the configuration with an IPv6 range from /etc/cni/net.d if it is not the network's own, as CRI-O's "
        "100-crio-bridge.conf, or enable IPv6 on the node (net.ipv6.conf.all.disable_ipv6=0)",
    ),
    SandboxError(
        MISCONFIGURED,
        r"initialize ip6?tables table [`'](?P<table>\w{1,30})'",
        "the node's kernel has no iptables table {table}",
        "netfilter iptables/iptables.c",
        "load the module of this table on the node (iptable_nat), or use its newer iptables, which works on nftables",
    ),
    SandboxError(
        MISCONFIGURED,
        r"requested IP address (?P<address>[\w.:]{2,45}) is not available in range set",
        "the fixed address {address} is in use (host-local)",
        "containernetworking/plugins plugins/ipam/host-local/backend/allocator/allocator.go",
        "remove the pod that has the address, or its reservation under /var/lib/cni/networks if that pod is gone",
        Shared.POD,
    ),
    SandboxError(
        EXHAUSTED,
        r"no IP addresses available in range set",
        "all addresses of the node's range are in use (host-local)",
        "containernetworking/plugins plugins/ipam/host-local/backend/allocator/allocator.go",
    ),
    SandboxError(
        EXHAUSTED,
        r"No more free affine blocks and strict affinity enabled",
        "Calico has no free address block for this node, and strict affinity forbids it the blocks of other nodes",
        _CALICO_IPAM,
        "enlarge the IPPool or add one, or give it a smaller blockSize so that every node gets a block; or turn off "
        "strictAffinity, if routes to other nodes' blocks are possible",
        Shared.CLUSTER,
    ),
    SandboxError(
        EXHAUSTED,
        r"No IPs available in pools: \[(?P<pools>[^\]]{1,400})\]",
        "Calico's IP pool {pools} has no free address",
        _CALICO_IPAM,
        "enlarge the IPPool or add one; if far fewer pods run than the pool has addresses, release leaked ones "
        "(calicoctl ipam check, calicoctl ipam release)",
        Shared.CLUSTER,
    ),
    SandboxError(
        EXHAUSTED,
        r"cannot allocate new block due to per host block limit",
        "the node already has as many Calico address blocks as it may have",
        _CALICO_IPAM,
        "raise maxBlocksPerHost of Calico's IPAMConfig, run fewer pods on the node, or release leaked addresses "
        "(calicoctl ipam check)",
    ),
    SandboxError(
        EXHAUSTED,
        r"Assigned 0 out of \d+ requested IPv[46] addresses",
        "Calico's IP pools have no free address for this node",
        _CALICO_IPAM,
        shared=Shared.CLUSTER,
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
        shared=Shared.CLUSTER,
    ),
    SandboxError(
        EXHAUSTED,
        r"\bNoAvailableAddress\b",
        "Kube-OVN's subnet has no free address",
        "kubeovn/kube-ovn pkg/ipam/ipam.go, issue 4210",
        KUBE_OVN,
        Shared.CLUSTER,
    ),
    SandboxError(
        EXHAUSTED,
        r"no address allocated to pod",
        "Kube-OVN has assigned no address to the pod",
        "kubeovn/kube-ovn pkg/daemon/handler.go",
        KUBE_OVN,
        Shared.POD,
    ),
    SandboxError(
        EXHAUSTED,
        r"InvalidVSwitchId\.IpNotEnough",
        "the vSwitch that Terway takes addresses from has none left",
        "AliyunContainerService/terway pkg/aliyun/client/errors",
        "add a vSwitch to Terway's configuration (ConfigMap eni-config in kube-system), or free addresses in this one",
        Shared.CLUSTER,
    ),
    SandboxError(
        EXHAUSTED,
        r"subnet address pool exhausted",
        "all addresses of the node's subnet are in use (OVN-Kubernetes)",
        "ovn-kubernetes/ovn-kubernetes go-controller/pkg/allocator/ip/allocator.go",
    ),
    SandboxError(
        EXHAUSTED,
        r"\bPool (?P<pool>\S{1,253}) is exh?austed",
        "Antrea's IPPool {pool} has no free address",
        "antrea-io/antrea pkg/ipam/poolallocator/allocator.go",
        shared=Shared.CLUSTER,
    ),
    SandboxError(
        MISCONFIGURED,
        r"cni (?:plugin not initialized|config uninitialized)|NetworkPluginNotReady",
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
        r"failed to find plugin \"(?P<plugin>[^\"]{1,80})\" in path",
        'the CNI plugin "{plugin}", which the node\'s CNI configuration uses, is not installed there',
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
        _CALICO_IPAM,
        "label the node so that an IPPool's nodeSelector matches it, or widen that nodeSelector",
    ),
    SandboxError(
        MISCONFIGURED,
        r"cannot find a qualified ippool",
        "no Calico IPPool can be used for this node: all are disabled or select other nodes",
        _CALICO_IPAM,
        f"{IP_POOLS}, and check nodeSelector, allowedUses and disabled of each",
        Shared.CLUSTER,
    ),
    SandboxError(
        MISCONFIGURED,
        r"AddressConflict|AddressOutOfRange",
        "the fixed address of the pod is in use or outside of Kube-OVN's subnet",
        "kubeovn/kube-ovn pkg/ipam/ipam.go, issue 4210",
        "correct the pod's annotation ovn.kubernetes.io/ip_address or ip_pool; a pod that is replaced must be gone "
        "before the new one can get its address",
        Shared.POD,
    ),
    SandboxError(
        MISCONFIGURED,
        r"cannot find a network-attachment-definition",
        "the pod references a NetworkAttachmentDefinition that does not exist (Multus)",
        "k8snetworkplumbingwg/multus-cni pkg/k8sclient/k8sclient.go",
        "create the NetworkAttachmentDefinition, or correct the pod's annotation k8s.v1.cni.cncf.io/networks",
        Shared.POD,
    ),
    SandboxError(
        UNREACHABLE,
        r"check that the calico/node container is running",
        "calico-node is not running on the node",
        "projectcalico/calico cni-plugin/pkg/plugin/plugin.go",
    ),
    SandboxError(
        UNREACHABLE,
        r"\[429\]\s?putEndpointIdTooManyRequests",
        "the Cilium agent on the node sets up no more pods at a time: it is slow or still starting",
        "cilium/cilium api/v1/client/endpoint/put_endpoint_id_responses.go",
        "check that the agent on the node is ready, and read its log; it sets pods up one after the other",
    ),
    SandboxError(
        UNREACHABLE,
        r"Cilium API client timeout exceeded|endpoint \d{1,9} did not synchronously regenerate",
        "the Cilium agent on the node has not set up the pod in time",
        "cilium/cilium pkg/client/client.go, issues 27816, 32399",
        "read the agent's log on the node: it is overloaded, or cannot apply a policy or load its eBPF programs",
    ),
    SandboxError(
        UNREACHABLE,
        r"timed out waiting for OVS port binding",
        "OVN has not bound the pod's port on the node in time",
        "ovn-kubernetes/ovn-kubernetes go-controller/pkg/cni/ovs.go",
        "look at ovn-controller in the ovnkube-node pod on the node: it is slow, or not connected to the southbound "
        "database",
    ),
    SandboxError(
        UNREACHABLE,
        r"hcn[A-Z]\w{1,40} failed in Win32|HNS failed with error",
        "the Host Network Service of the Windows node refuses",
        "microsoft/hcsshim hcn/hcnerrors.go, internal/hns/hnserrors.go, kubernetes-sigs/sig-windows-tools issue 249",
        "restart the service hns on the node, then its CNI's pod; if that does not help, replace the node",
    ),
    SandboxError(
        UNREACHABLE,
        r"unable to push CNI event",
        "Istio's CNI agent on the node cannot set pods up",
        "istio/istio cni/pkg/plugin/cnieventclient.go",
        "check that the pods istio-cni-node and ztunnel run on the node, and read their logs",
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
        r"loadFlannelSubnetEnv failed|failed to load flannel 'subnet\.env' file|/flannel/subnet\.env: no such file",
        "flanneld has not written its lease on the node (/run/flannel/subnet.env is missing)",
        "flannel-io/cni-plugin flannel.go, flannel-io/flannel issue 2437",
        "restart the flannel pod on the node: it writes the file when it starts; if it does not, read its log",
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
        "OVN-Kubernetes has assigned no address to the pod in time",
        "ovn-kubernetes/ovn-kubernetes go-controller/pkg/cni/utils.go",
        "look at the events ErrorAllocatingPod, and at the log of ovnkube-controller or ovnkube-control-plane",
    ),
    SandboxError(
        UNREACHABLE,
        r"(?i)waiting for ReadinessIndicatorFile",
        "Multus waits for the CNI of the default network, which is not ready on the node",
        "k8snetworkplumbingwg/multus-cni pkg/multus/multus.go",
    ),
    SandboxError(
        UNREACHABLE,
        r'Get "?https://(?P<server>[\w.:\[\]-]{3,300})/\S{1,500}: dial tcp \S{1,60}: ',
        "the CNI plugin cannot connect to the API server at {server}",
        "golang/go src/net/net.go, projectcalico/calico#4361",
        "see whether kube-proxy works on the node, which forwards the Service kubernetes, and whether a firewall keeps "
        "the node from the API server",
    ),
    SandboxError(
        UNREACHABLE,
        r"connection refused|dial unix \S{1,200}: connect: no such file or directory",
        "the CNI plugin cannot connect to its daemon on the node, or to the API server",
        "golang/go src/syscall/zerrors_linux_amd64.go",
    ),
    SandboxError(
        UNREACHABLE,
        r"code = DeadlineExceeded|failed to start sandbox container task .{0,100}context deadline exceeded",
        "the container runtime created no sandbox in time: it waits for the CNI plugin, or it is slow",
        "kubernetes/cri-client pkg/remote_runtime.go, containerd/containerd pkg/cri/server/sandbox_run.go",
        "read the logs of the CNI's pod and of the container runtime on the node",
    ),
    SandboxError(
        UNREACHABLE,
        r"context deadline exceeded|i/o timeout|TLS handshake timeout",
        "the CNI plugin got no answer in time",
        "golang/go src/context/context.go, src/internal/poll/fd.go, src/net/http/transport.go",
    ),
    SandboxError(
        UNKNOWN,
        r"^Pod sandbox changed, it will be killed and re-created\.$",
        "the kubelet re-creates it, and no event says any more why the last one failed",
        "kubernetes/kubernetes pkg/kubelet/kuberuntime/kuberuntime_manager.go",
        "read the logs of the container runtime on the node (journalctl -u containerd, or -u crio) and of the CNI's "
        "pod there",
        shared=Shared.POD,
    ),
)

OOM_TEXT = re.compile(r"OOM-killed|memory limit (?:\d{1,20} |could be )?too low", re.IGNORECASE)
"""Messages about a memory limit that is too small for a sandbox or a container to start: from runc
(libcontainer/process_linux.go), crun (src/libcrun/container.c) and CRI-O (internal/config/cgmgr/cgmgr_linux.go)."""

_NOT_OURS = re.compile(rf"{OOM_TEXT.pattern}|no space left on device", re.IGNORECASE)
"""A sandbox that hits a memory limit or a full disk belongs to another cause."""

_OTHER = SandboxError(UNKNOWN, "", "", "", shared=Shared.POD)

REPORTED_BY = frozenset({"FailedCreatePodSandBox", "AcquireAddressFailed", "ErrorAllocatingPod"})
"""Reasons of events about a sandbox that cannot be created: the kubelet's (pkg/kubelet/events/event.go), and those of
the controllers that assign addresses: kubeovn/kube-ovn pkg/controller/pod.go, ovn-kubernetes/ovn-kubernetes
go-controller/pkg/clustermanager/pod/allocator.go."""


def is_refused(message: str) -> bool:
    """Return whether the API server refused the CNI: its credentials, or a right that it needs."""
    return (explain(message) or _OTHER).remedy in (CREDENTIALS, RBAC)


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
_RANDOM = re.compile(
    r"\b(?:[0-9a-f]{12,64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|(?:azv|cali|eni|lxc|veth)[0-9a-f]{6,12}|(?:[0-9a-f]{2}:){5}[0-9a-f]{2})\b"
)
"""Ids, names of a pod's network interface on its node, and its MAC address."""


def plain(message: str, pod: pb.Pod) -> str:
    """Return a message without its preamble and without what differs between pods: the pod's name and random ids."""
    message = _PREAMBLE.sub("", message)
    for uid in filter(None, (pod.metadata.uid, pod.metadata.uid.replace("-", "_"))):
        message = message.replace(uid, "…")
    name = rf"(?<![A-Za-z0-9.-]){re.escape(pod.metadata.name)}(?![A-Za-z0-9-]|\.[A-Za-z0-9])"
    message = re.sub(name, "…", message) if pod.metadata.name else message
    return _RANDOM.sub("…", message).strip()
