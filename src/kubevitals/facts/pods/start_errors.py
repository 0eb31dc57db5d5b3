"""What kubelets, container runtimes and registries say about containers that cannot start, and what helps."""

import re

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.no_space import NO_SPACE, explain_no_space
from kubevitals.facts.pods.sandbox_errors import RUNTIME
from kubevitals.inventory.cluster import Cluster

PULL_ERRORS = (
    (
        r"no match for platform|no image found in (?:image index|manifest list)|no matching manifest for|exec format",
        "the image is not for the node's architecture",
        "build it for that architecture (on Windows nodes, for their Windows version), or select nodes that fit it",
    ),
    (
        r"image operating system .{0,60} cannot be used",
        "the image is not for the node's operating system",
        "let nodeSelector choose nodes by kubernetes.io/os, or build the image for this system",
    ),
    (
        r"token (?:has |is )?expired|ExpiredToken",
        "the credentials for the registry have expired",
        "renew those in the imagePullSecret (ECR's last 12 hours), or configure a credential provider of the kubelet",
    ),
    (
        r"short-name .{1,300} did not resolve|short name mode is enforcing|pull an unqualified image",
        "its name does not say from which registry, and the container runtime does not guess",
        "write the image's name with its registry: docker.io/library/nginx",
    ),
    (
        r"pull access denied|may require authorization",
        "not found in the registry, or the registry requires authentication",
        "correct the image's name, or give the pod an imagePullSecret for the registry",
    ),
    (
        r"SignatureValidationFailed|signature validation failed",
        "the node's container runtime rejects its signature",
        "sign the image, or correct the policy of the node's container runtime",
    ),
    (
        r"manifest\.v1\+prettyjws",
        "its manifest has an old format that the container runtime does not support (Docker schema 1)",
        "build and push it again with a current tool",
    ),
    (
        r"lchown .{0,300}invalid argument",
        "it has files of users that are not in the node's user namespace",
        "give the node's user more subordinate IDs (/etc/subuid, /etc/subgid), or build it with smaller user numbers",
    ),
    (
        r"dial unix \S{0,200}(?:containerd|crio|docker|cri-dockerd)\.sock",
        "the container runtime on the node does not answer",
        RUNTIME,
    ),
    (
        r"pull QPS exceeded",
        "the kubelet limits how often it pulls (registryPullQPS)",
        "raise registryPullQPS and registryBurst in the kubelet's configuration; the kubelet retries by itself",
    ),
    (
        r"unexpected media type|image-specific operation on artifact|number of layers and diffIDs don't match",
        "it is no container image that the node can read",
        "reference an image and no Helm chart, signature or other artifact; or update containerd on the node: old ones "
        "do not know zstd and attestations",
    ),
    (
        r"failed to extract layer|content digest \S{1,100}: not found|mismatched image rootfs|failed size validation"
        r"|unexpected commit digest|invalid tar header",
        "it is damaged, or cannot be unpacked on the node",
        "if it fails on this node only, delete the image there (crictl rmi) and check the disk; else push it again",
    ),
    (
        r"\b50[0234] (?:Internal Server Error|Bad Gateway|Service (?:Temporarily )?Unavailable|Gateway Time-?out)",
        "the registry answers with an error of its own",
        "look at the registry, or at the proxy before it; the kubelet retries by itself",
    ),
    (
        r"not found|manifest unknown|does not exist",
        "not found in the registry",
        "correct the image's name or tag, or push it",
    ),
    (
        r"unauthorized|denied|forbidden|authentication|no basic auth",
        "the registry denies access",
        "give the pod an imagePullSecret for the registry",
    ),
    (
        r"toomanyrequests|rate limit|429",
        "the registry limits the rate of pulls",
        "authenticate to the registry, or use a mirror",
    ),
    (
        r"lookup \S{1,200}\.svc(?:\.\S{1,100})?:? .{0,80}(?:no such host|server misbehaving|timeout|failure)",
        "its registry is named as a Service, and nodes do not ask the cluster's DNS",
        "give the registry a name that the nodes know, such as that of an Ingress or a NodePort, or configure a mirror "
        "for it in the container runtime",
    ),
    (
        r"no such host|timeout|timed out|connection refused|no route|unreachable|server misbehaving|name resolution|EOF"
        r"|deadline exceeded|RegistryUnavailable|registry is unavailable|connection reset by peer|context canceled",
        "the registry cannot be reached from the node",
        "check DNS, proxy and firewall between the node and the registry",
    ),
    (
        r"server gave HTTP response to HTTPS client",
        "the registry speaks HTTP, and the container runtime expects HTTPS",
        "give the registry TLS, or allow plain HTTP for it in the container runtime's configuration on every node",
    ),
    (
        r"x509: certificate (?:has expired|is not yet valid)|certificate has expired",
        "the registry's certificate is not valid now",
        "renew the registry's certificate, and check the node's clock",
    ),
    (
        r"x509: ",
        "the node does not accept the registry's certificate",
        "give the node the CA that signed it, or correct the certificate's names; then restart the container runtime",
    ),
    (r"InvalidImageName|invalid reference", "the image's name is not valid", "correct the image's name"),
    (
        r"ErrImageNeverPull",
        "it is not on the node, and imagePullPolicy is Never",
        "load it onto the node, or correct imagePullPolicy",
    ),
)
"""Texts of containerd, CRI-O and the common registries, with their meaning and remedy. The first match counts."""

STALE = (
    "the server of the volume was replaced, or no longer has the directory: delete all pods of the node that use it, "
    "so that it is mounted again"
)

START_ERRORS = (
    (
        r"subPath",
        "correct subPath of the volumeMount: the path must be in the volume, or the kubelet must be able to create it",
    ),
    (
        r"path escapes from parent",
        "let /etc/passwd and /etc/group of the image be files, and no links that lead out of it",
    ),
    (
        r"content digest \S{1,100}: not found|failed to mount rootfs component"
        r"|mount callback failed .{1,1600}: input/output error",
        "the image is damaged on the node: delete it there (crictl rmi), so that it is pulled again; check the disk",
    ),
    (
        r"MOUNT_ATTR_IDMAP|idmap mounts",
        "leave hostUsers: false out, or the volume: device files, NFS and others have no idmapped mounts",
    ),
    (
        r"stale (?:NFS )?file handle",
        STALE,
    ),
    (
        r"rootfs\S{0,1600}: read-only file system",
        "choose another mountPath: it is in a volume that is read-only, as a ConfigMap's is, so that no directory can "
        "be made there",
    ),
    (
        r"mkdir \S{1,1600}: read-only file system",
        "use a hostPath that can be written on the node, such as one in /var: the rest is read-only on systems like "
        "Talos, Bottlerocket and Container-Optimized OS",
    ),
    (
        r"failed to stat \"/.{1,1600}: no such file or directory",
        "create the path on the node, or correct hostPath of the volume",
    ),
    (
        r"reserv\w{1,4} (?:container|ctr) name|deadline exceeded|due to system load",
        "find out what slows the node's container runtime down, mostly its disk; the kubelet retries by itself",
    ),
    (
        r"(?i)apparmor",
        "install AppArmor and the profile on the node, or correct appArmorProfile of the securityContext",
    ),
    (
        r"runAsNonRoot and image",
        "set runAsUser in the securityContext to the number of a user that is not root, or USER in the image",
    ),
    (
        r"exec: .{1,300}: permission denied",
        "make the file executable in the image (chmod +x), or correct command and args",
    ),
    (
        r"exec: .{1,300}: (?:no such file or directory|executable file not found)",
        "correct command and args, or add the program to the image; a script needs the interpreter of its first line",
    ),
    (
        r"is not a shared mount",
        "mount the path on the node as shared (mount --make-rshared), or leave mountPropagation out",
    ),
    (
        r"failed to sync \w{1,20} cache|services have not yet been read",
        "check that the kubelet on the node reaches the API server and is not newer than it; it retries by itself",
    ),
    (
        r"no (?:users|groups) found|unable to find (?:user|group) |no matching entries in (?:passwd|group) file",
        "set runAsUser and runAsGroup of the securityContext to numbers, or add the user to the image",
    ),
    (
        r"CDI device injection failed|unresolvable CDI devices",
        "look at the pod of the device plugin or DRA driver on the node, which describes its devices in /var/run/cdi",
    ),
    (
        r"operating system of the container does not match|does not match the host operating system",
        "use an image for the node's version of Windows, or select nodes by node.kubernetes.io/windows-build",
    ),
    (
        r"unable to apply cgroup configuration|cgroup config for procHooks",
        "correct the container's limits, or see in the log of the container runtime why its cgroup does not take them",
    ),
    (r"cannot load seccomp", "put the profile on the node, or correct seccompProfile of the securityContext"),
    (
        r"nvidia-container-cli|nvml|libcuda",
        "repair the GPU driver on the node, and look at the pods of the GPU operator there",
    ),
    (
        r"error mounting .{1,600}: not a directory",
        "mount a directory onto a directory and a file onto a file: with subPath, mountPath is the path of the file",
    ),
    (r"", "correct command, args and securityContext of the container, or the image's entrypoint"),
)
"""Texts of the kubelet (pkg/kubelet/kuberuntime/security_context_others.go), runc (libcontainer), containerd, CRI-O,
hcsshim, CDI and NVIDIA's container toolkit about a container that cannot start, with the remedy. The first match
counts."""

NO_ACCESS = re.compile(r"denied|unauthori[sz]ed|forbidden|authori[sz]|authenti|not found|does not exist", re.IGNORECASE)
"""What registries answer to a pull without the right credentials."""


def pull_error(text: str, pod: pb.Pod, cluster: Cluster) -> tuple[str, str]:
    """Return what the messages about an image that cannot be pulled mean, and what helps."""
    if NO_SPACE in text:
        cause = explain_no_space(text, pod, cluster)
        return cause.what, cause.remedy
    known = ((meaning, fix) for pattern, meaning, fix in PULL_ERRORS if re.search(pattern, text, re.IGNORECASE))
    return next(known, ("see the message of the container runtime", "fix what the container runtime reports"))


def start_error(words: str, pod: pb.Pod, cluster: Cluster) -> tuple[str, str]:
    """Return what a message about a container that cannot start means, and what helps."""
    if NO_SPACE in words:
        cause = explain_no_space(words, pod, cluster)
        return f"{cause.what}: {runtime_words(words)}", cause.remedy
    return runtime_words(words), next(remedy for text, remedy in START_ERRORS if re.search(text, words))


def warning_remedy(message: str, pod: pb.Pod, cluster: Cluster) -> str:
    """Return what helps against what a Warning event about a pod reports."""
    full = explain_no_space(message, pod, cluster) if NO_SPACE in message else None
    if full:
        return f"{full.what}: {full.remedy}"
    return _DEVICES if "prepare dynamic resources" in message else "fix what the event reports"


_DEVICES = (
    "look at the DRA driver's pod on the node, and at what the ResourceClaim has been given: kubectl describe "
    "resourceclaims"
)


def runtime_words(words: str) -> str:
    """Return what the kubelet and the container runtime say, without their preambles and the pod's name."""
    words = re.sub(r" \(pod: \"[^\"]{0,400}\", container: [^)]{0,400}\)", "", words)
    return re.sub(
        r"^.*?(?:OCI runtime create failed: |runc create failed: |unable to start container process: )+",
        "",
        words,
        flags=re.DOTALL,
    )
