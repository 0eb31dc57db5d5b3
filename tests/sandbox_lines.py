"""Messages of runtimes and CNI plugins about sandboxes, with the variant of each."""

from kubevitals.facts.pods.sandbox_errors import EXHAUSTED, MISCONFIGURED, UNKNOWN, UNREACHABLE

ID = "54964c602aff5070aea6546f12f66b78d94c1effa4f193f117cf919e8117f046"
HEAD = f'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "{ID}": '
REFUSED = "dial tcp 127.0.0.1:{}: connect: connection refused"

SAID = [
    (
        EXHAUSTED,
        'plugin type="ptp" failed (add): failed to allocate for range 0: no IP addresses available in range set: '
        "10.244.2.1-10.244.2.254",
    ),
    (
        EXHAUSTED,
        'plugin type="calico" failed (add): failed to request IPv4 addresses: '
        "Assigned 0 out of 1 requested IPv4 addresses",
    ),
    (
        EXHAUSTED,
        'plugin type="aws-cni" name="aws-cni" failed (add): add cmd: failed to assign an IP address to container',
    ),
    (
        EXHAUSTED,
        "plugin type='azure-vnet' failed (add): IPAM Invoker Add failed with error: Failed to get IP address from CNS "
        "with error: %w: AllocateIPConfig failed: not enough IPs available for 9c6a7f37-dd43-4f7c-a01f-1ff41653609c, "
        "waiting on Azure CNS to allocate more with NC Status: ",
    ),
    (EXHAUSTED, 'plugin type="terway" failed (add): cmdAdd: error alloc ip: Code: InvalidVSwitchId.IpNotEnough'),
    (
        UNREACHABLE,
        'plugin type="cilium-cni" failed (add): unable to create endpoint: Cilium API client timeout exceeded',
    ),
    (
        UNREACHABLE,
        'plugin type="ovn-k8s-cni-overlay" failed (add): failed to configure pod interface: timed out waiting for OVS '
        "port binding (ovn-installed) for 0a:58:0a:80:02:05 [10.128.2.5/23]",
    ),
    (
        UNKNOWN,
        "Failed to Check if grpc server is working: code = DeadlineExceeded desc = timed out connecting to vsock 2:1",
    ),
    (UNREACHABLE, "hcnCreateNetwork failed in Win32: A network with this name already exists. (0x803b0010)"),
    (UNREACHABLE, "Failed to create endpoint: HNS failed with error : Element not found."),
    (EXHAUSTED, "AssignPodIPs: not enough IPs available, waiting on Azure CNS to allocate more"),
    (EXHAUSTED, "InsufficientFreeAddressesInSubnet: The specified subnet does not have enough free addresses"),
    (
        EXHAUSTED,
        'plugin type="cilium-cni" failed (add): unable to allocate IP via local cilium agent: [POST /ipam][502] '
        'postIpamFailure "no IPs currently available on the node, allocation will be retried once Cilium Operator '
        'allocates more IPs"',
    ),
    (EXHAUSTED, "Failed to allocate pool: Failed to delegate: Failed to allocate address: No available addresses"),
    (
        EXHAUSTED,
        'plugin type="cilium-cni" failed (add): unable to allocate IP via local cilium agent: [POST /ipam][502] '
        "postIpamFailure  range is full",
    ),
    (
        EXHAUSTED,
        'plugin type="cilium-cni" failed (add): unable to allocate IP via local cilium agent: [POST /ipam][502] '
        'postIpamFailure "all CIDR ranges are exhausted"',
    ),
    (
        EXHAUSTED,
        'error adding container to network "storage": error at storage engine: Could not allocate IP in range: ip: '
        "172.16.0.1 / - 172.16.0.6 / range: net.IPNet{IP:net.IP{0xac, 0x10, 0x0, 0x0}}",
    ),
    (MISCONFIGURED, "cni plugin not initialized"),
    (
        MISCONFIGURED,
        'plugin type="flannel" failed (add): "cni0" already has an IP address different from 10.244.2.1/24',
    ),
    (
        MISCONFIGURED,
        "failed to allocate for range 0: requested IP address 10.1.2.7 is not available in range set 10.1.2.0/24",
    ),
    (
        MISCONFIGURED,
        'error getting ClusterInformation: Get "https://10.96.0.1:443/apis": tls: failed to verify certificate: x509: '
        "certificate signed by unknown authority",
    ),
    (
        UNREACHABLE,
        "unable to create endpoint: [PUT /endpoint/{id}][429] putEndpointIdTooManyRequests ",
    ),
    (
        UNREACHABLE,
        "istio-cni cmdAdd failed to contact node Istio CNI agent: unable to push CNI event (status code 500): no "
        "ztunnel connection",
    ),
    (MISCONFIGURED, 'plugin type="ptp" failed (add): failed to find plugin "dhcp" in path [/opt/cni/bin]'),
    (MISCONFIGURED, 'plugin type="ptp" failed (add): invalid CIDR address: 10.244.1.1.0/24'),
    (MISCONFIGURED, "no CNI configuration file in /etc/cni/net.d/. Has your network provider started?"),
    (
        UNREACHABLE,
        'plugin type="calico" failed (add): stat /var/lib/calico/nodename: no such file or directory: check that the '
        "calico/node container is running and has mounted /var/lib/calico/",
    ),
    (
        UNREACHABLE,
        'plugin type="cilium-cni" failed (add): unable to connect to Cilium agent: '
        "dial unix /var/run/cilium/cilium.sock: connect: no such file or directory",
    ),
    (
        UNREACHABLE,
        'plugin type="aws-cni" name="aws-cni" failed (add): add cmd: Error received from AddNetwork gRPC call: rpc '
        'error: code = Unavailable desc = connection error: desc = "transport: Error while dialing '
        f'{REFUSED.format(50051)}"',
    ),
    (
        UNREACHABLE,
        'plugin type="flannel" failed (add): loadFlannelSubnetEnv failed: open /run/flannel/subnet.env: no such file',
    ),
    (
        UNREACHABLE,
        'plugin type="weave-net" name="weave" failed (add): unable to allocate IP address: Post '
        f'"http://127.0.0.1:6784/ip/{ID}": {REFUSED.format(6784)}',
    ),
    (
        UNREACHABLE,
        "CNI request failed with status 400: 'failed to get pod annotation: timed out waiting for annotations: context "
        "deadline exceeded",
    ),
    (UNREACHABLE, f'plugin type="other" failed (add): {REFUSED.format(4711)}'),
    (UNREACHABLE, "context deadline exceeded"),
    (UNREACHABLE, 'failed to start sandbox container task "1": context deadline exceeded: unknown'),
    (MISCONFIGURED, "cni config uninitialized"),
    (UNKNOWN, 'failed to reserve sandbox name "web_shop_1_0": name "web_shop_1_0" is reserved for "2"'),
    (
        UNKNOWN,
        'expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got "/kubepods/x" instead',
    ),
    (UNKNOWN, 'failed to generate seccomp spec opts: cannot load seccomp profile "/var/lib/kubelet/seccomp/a.json": x'),
    (UNKNOWN, "error creating cgroup: fork/exec /usr/bin/runc: resource temporarily unavailable"),
    (UNKNOWN, 'failed to get sandbox runtime: no runtime for "absent" is configured'),
    (UNKNOWN, "netplugin failed with no error message: signal: killed"),
    (UNKNOWN, "CreateComputeSystem 1: The container operating system does not match the host operating system."),
    (
        UNREACHABLE,
        'plugin type="calico" failed (add): error getting ClusterInformation: Get "https://10.96.0.1:443/apis/crd.'
        'projectcalico.org/v1/clusterinformations/default": dial tcp 10.96.0.1:443: i/o timeout',
    ),
    (
        MISCONFIGURED,
        'plugin type="portmap" failed (add): failed to list chains: running [/usr/sbin/iptables -t nat -S --wait]: '
        "exit status 3: iptables v1.8.7 (legacy): can't initialize iptables table `nat': Table does not exist",
    ),
    (
        MISCONFIGURED,
        'plugin type="bridge" failed (add): failed to set bridge addr: could not add IP address to "cni0": permission '
        "denied",
    ),
]
