"""What kubelets, container runtimes and registries say about a container that cannot start, and the remedies."""

import pytest

from checks.test_config_mount import missing_object
from checks.test_startup_error import bad_command, bad_reference, image
from kubevitals import schema_pb2 as pb
from kubevitals.objects import Ref
from tests.built import BuiltPod

PULL = 'rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/shop/web:2": '
DENIED = (
    'failed to resolve reference "docker.io/shop/web:2": pull access denied, repository does not exist or may require '
    "authorization: server message: insufficient_scope: authorization failed"
)


@pytest.mark.parametrize(
    ("reason", "message", "meaning"),
    [
        ("ErrImagePull", PULL + "docker.io/shop/web:2: not found", "not found in the registry"),
        ("ErrImagePull", PULL + "no match for platform in manifest: not found", "not for the node's architecture"),
        ("ErrImagePull", 'no image found in image index for architecture "arm64"', "not for the node's architecture"),
        ("ErrImagePull", PULL + DENIED, "not found in the registry, or the registry requires authentication"),
        ("ErrImagePull", "unauthorized: authentication required", "the registry denies access"),
        ("ErrImagePull", PULL + "no matching manifest for linux/arm64/v8 in the manifest list", "architecture"),
        ("ErrImagePull", PULL + "http: server gave HTTP response to HTTPS client", "the registry speaks HTTP"),
        ("ErrImagePull", PULL + "x509: certificate has expired or is not yet valid", "certificate is not valid now"),
        ("ErrImagePull", PULL + "x509: certificate signed by unknown authority", "does not accept the registry's"),
        (
            "ErrImagePull",
            PULL + "write /var/lib/x: no space left on device",
            "cannot be pulled: no space is left on node one",
        ),
        (
            "ErrImagePull",
            "denied: Your authorization token has expired. Reauthenticate",
            "credentials for the registry",
        ),
        (
            "ImageInspectError",
            'Failed to inspect image "": short-name "kong:3.9" did not resolve to an alias and no unqualified-search '
            'registries are defined in "/etc/containers/registries.conf"',
            "does not say from which registry",
        ),
        (
            "ImageInspectError",
            "short name mode is enforcing, but image name shop/web:2 returns ambiguous list",
            "does not say from which registry",
        ),
        (
            "ErrImagePull",
            'Head "https://registry.default.svc.cluster.local:5000/v2/web/manifests/1": dial tcp: lookup '
            "registry.default.svc.cluster.local: no such host",
            "nodes do not ask the cluster's DNS",
        ),
        ("ErrImagePull", "dial tcp: lookup registry.example.com on 10.0.0.2:53: no such host", "cannot be reached"),
        ("ErrImagePull", 'image operating system "windows" cannot be used on this platform', "operating system"),
        ("ErrImagePull", PULL + 'media type "application/vnd.docker.distribution.manifest.v1+prettyjws"', "schema 1"),
        ("ErrImagePull", PULL + 'failed commit on ref "x": "x" failed size validation: 1 != 2', "damaged"),
        ("ErrImagePull", PULL + "failed to extract layer sha256:a: lchown /tmp/x: invalid argument", "user namespace"),
        ("ErrImagePull", PULL + "unexpected status from HEAD request: 503 Service Unavailable", "error of its own"),
        ("ErrImagePull", PULL + "read tcp 10.0.0.1:1->10.0.0.2:443: read: connection reset by peer", "be reached"),
        ("ErrImagePull", PULL + "failed to unpack image: content digest sha256:a: not found", "damaged"),
        ("ErrImagePull", PULL + "unexpected media type application/vnd.cncf.helm.config.v1+json", "no container image"),
        ("ErrImagePull", "number of layers and diffIDs don't match: 5 != 4", "no container image"),
        ("ErrImagePull", "pull QPS exceeded", "limits how often it pulls"),
        (
            "ErrImagePull",
            "dial unix /run/containerd/containerd.sock: connect: connection refused",
            "runtime on the node",
        ),
        ("ErrImagePull", "rpc error: code = DeadlineExceeded desc = context deadline exceeded", "cannot be reached"),
        (
            "RegistryUnavailable",
            "image pull failed for web because the registry is unavailable: dial tcp 10.0.0.1:443",
            "the registry cannot be reached from the node",
        ),
        (
            "SignatureValidationFailed",
            "image pull failed for web because the signature validation failed: Source image rejected",
            "rejects its signature",
        ),
    ],
)
def test_pull_errors_are_explained(reason: str, message: str, meaning: str) -> None:
    pod = BuiltPod()
    pod.waiting("web", reason, message)
    (finding,) = image(pod.cluster())
    assert meaning in finding.says


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ('Back-off pulling image "shop/web:2"', "shop/web:2"),
        ('Back-off pulling image "shop/data:1": ErrImagePull: shop/data:1: not found', "shop/data:1"),
        ("the registry is gone", "shop/web:2"),
    ],
    ids=["the container's", "a volume's", "not named"],
)
def test_the_finding_names_the_image_that_cannot_be_pulled(message: str, name: str) -> None:
    pod = BuiltPod()
    pod.waiting("web", "ImagePullBackOff", message)
    pod.pod.spec.containers[1].image = "shop/web:2"
    (finding,) = image(pod.cluster())
    assert f'container "web": image "{name}" cannot be pulled' in finding.says


@pytest.mark.parametrize(
    ("reason", "message", "remedy"),
    [
        ("CreateContainerConfigError", 'failed to prepare subPath for volumeMount "x" of container "web"', "subPath"),
        ("CreateContainerError", 'failed to reserve container name "web_app": name is reserved', "runtime down"),
        ("CreateContainerError", "context deadline exceeded", "runtime down"),
        ("CreateContainerError", "mkdir /run/x: no space left on device", "free space in /run on the node"),
        ("CreateContainerError", 'exec: "serve": executable file not found in $PATH', "correct command"),
        ("RunContainerError", 'exec: "/app/start.sh": permission denied: unknown', "chmod +x"),
        ("CreateContainerConfigError", "container has runAsNonRoot and image will run as root", "runAsUser"),
        ("CreateContainerError", 'path "/data" is mounted on "/" but it is not a shared mount', "make-rshared"),
        (
            "CreateContainerError",
            'get apparmor_parser version: exec: "apparmor_parser": executable file not found',
            "AppA",
        ),
        (
            "CreateContainerConfigError",
            "failed to sync secret cache: timed out waiting for the condition",
            "API server",
        ),
        ("CreateContainerError", "mount callback failed on /tmp/x: no users found", "runAsUser"),
        ("RunContainerError", "unable to find user app: no matching entries in passwd file: unknown", "runAsUser"),
        (
            "RunContainerError",
            "CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=0",
            "device plugin",
        ),
        (
            "RunContainerError",
            "hcs::CreateComputeSystem web: The container operating system does not match the host operating system.",
            "version of Windows",
        ),
        ("RunContainerError", "unable to apply cgroup configuration: failed to write 100000", "container's limits"),
        ("CreateContainerError", 'cannot load seccomp profile "/x.json"', "seccompProfile"),
        (
            "RunContainerError",
            "nvidia-container-cli: initialization error: nvml error: driver not loaded",
            "GPU driver",
        ),
        (
            "CreateContainerError",
            "mount callback failed on /x: openat etc/passwd: path escapes from parent",
            "lead out",
        ),
        ("CreateContainerError", "mount callback failed on /x: read /x/etc/passwd: input/output error", "crictl rmi"),
        ("CreateContainerError", "error unpacking image: content digest sha256:a: not found", "crictl rmi"),
        ("RunContainerError", "failed to set MOUNT_ATTR_IDMAP on /dev/fuse: invalid argument", "hostUsers: false"),
        (
            "RunContainerError",
            'chdir to cwd ("/src") set in config.json failed: stale NFS file handle',
            "mounted again",
        ),
        ("CreateContainerError", 'failed to mkdir "/opt/x": mkdir /opt/x: read-only file system', "one in /var"),
        ("RunContainerError", "mkdirat /run/c/rootfs/etc/app/sub: read-only file system: unknown", "another mountPath"),
        ("CreateContainerError", 'failed to stat "/mnt/x": stat /mnt/x: no such file or directory', "correct hostPath"),
        ("CreateContainerConfigError", "services have not yet been read at least once", "not newer than it"),
        ("RunContainerError", "error setting cgroup config for procHooks process: x: invalid argument", "limits"),
        ("RunContainerError", 'error mounting "/a" to rootfs at "/b.conf": mount /a: not a directory', "onto a file"),
    ],
)
def test_the_remedy_fits_the_message(reason: str, message: str, remedy: str) -> None:
    pod = BuiltPod()
    pod.waiting("web", reason, message)
    (finding,) = bad_command(pod.cluster())
    assert remedy in finding.remedy


ABSENT = Ref("Secret", "shop", "absent")


@pytest.mark.parametrize("words", ['secret "absent" not found', 'secrets "absent" not found'], ids=["watch", "get"])
def test_a_kubelet_may_use_the_api_servers_words(words: str) -> None:
    """It depends on the kubelet's configMapAndSecretChangeDetectionStrategy."""
    pod = BuiltPod()
    pod.waiting("web", "CreateContainerConfigError", words)
    assert [finding.missing for finding in bad_reference(pod.cluster())] == [(ABSENT,)]
    pod = BuiltPod()
    pod.mounting("keys", secret=pb.SecretVolumeSource(secretName="absent"))
    pod.said("FailedMount", f'MountVolume.SetUp failed for volume "keys" : {words}')
    assert [finding.missing for finding in missing_object(pod.cluster())] == [(ABSENT,)]


@pytest.mark.parametrize(
    ("words", "says", "remedy"),
    [
        (
            "couldn't find key network in Secret kube-system/hcloud",
            "references a missing key: ",
            "add the key network to Secret hcloud, or correct the key in env in the workload's template",
        ),
        ('configmap "absent" not found', "references a missing object: ", "create the missing object"),
    ],
)
def test_a_missing_key_is_no_missing_object(words: str, says: str, remedy: str) -> None:
    """hetznercloud/csi-driver issue 1389."""
    pod = BuiltPod()
    pod.waiting("web", "CreateContainerConfigError", words)
    (finding,) = bad_reference(pod.cluster())
    assert says in finding.says
    assert finding.remedy.startswith(remedy)
