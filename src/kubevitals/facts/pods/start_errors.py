"""What kubelets, container runtimes and registries say of a container that cannot start: its meaning, its remedy."""

PULL_ERRORS = (
    (
        r"no match for platform|no image found in (?:image index|manifest list)|exec format",
        "the image is not for the node's architecture",
        "build it for that architecture",
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
        r"no such host|timeout|timed out|connection refused|no route|unreachable|server misbehaving|EOF"
        r"|RegistryUnavailable|registry is unavailable",
        "the registry cannot be reached from the node",
        "check DNS, proxy and firewall between the node and the registry",
    ),
    (r"InvalidImageName|invalid reference", "the image's name is not valid", "correct the image's name"),
    (
        r"ErrImageNeverPull",
        "it is not on the node, and imagePullPolicy is Never",
        "load it onto the node, or correct imagePullPolicy",
    ),
)
"""Texts of containerd, CRI-O and the common registries, with their meaning and remedy. The first match counts."""

START_ERRORS = (
    (
        r"subPath",
        "correct subPath of the volumeMount: the path must be in the volume, or the kubelet must be able to create it",
    ),
    (
        r"reserv\w{1,4} (?:container|ctr) name|deadline exceeded|due to system load",
        "find out what slows the node's container runtime down, mostly its disk; the kubelet retries by itself",
    ),
    (r"", "correct command, args and securityContext of the container, or the image's entrypoint"),
)
"""Texts of the kubelet, containerd and CRI-O about a container that cannot start, with the remedy."""
