"""What kubelets, container runtimes and registries say of a container that cannot start, and what helps."""

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
        ("ErrImagePull", PULL + "docker.io/shop/web:2: not found", "there is no such image"),
        ("ErrImagePull", PULL + "no match for platform in manifest: not found", "not for the node's architecture"),
        ("ErrImagePull", 'no image found in image index for architecture "arm64"', "not for the node's architecture"),
        ("ErrImagePull", PULL + DENIED, "there is no such image, or the registry does not show it to everybody"),
        ("ErrImagePull", "unauthorized: authentication required", "the registry refuses access"),
        ("ErrImagePull", PULL + "write /var/lib/x: no space left on device", "the node's disk has no space"),
        (
            "RegistryUnavailable",
            "image pull failed for web because the registry is unavailable: dial tcp 10.0.0.1:443",
            "the registry cannot be reached from the node",
        ),
        (
            "SignatureValidationFailed",
            "image pull failed for web because the signature validation failed: Source image rejected",
            "its signature is refused",
        ),
    ],
)
def test_what_is_said_of_an_image_is_explained(reason: str, message: str, meaning: str) -> None:
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
def test_the_image_is_named_that_is_pulled_in_vain(message: str, name: str) -> None:
    pod = BuiltPod()
    pod.waiting("web", "ImagePullBackOff", message)
    pod.pod.spec.containers[1].image = "shop/web:2"
    (finding,) = image(pod.cluster())
    assert f'has no image "{name}" for container web' in finding.says


@pytest.mark.parametrize(
    ("reason", "message", "remedy"),
    [
        ("CreateContainerConfigError", 'failed to prepare subPath for volumeMount "x" of container "web"', "subPath"),
        ("CreateContainerError", 'failed to reserve container name "web_app": name is reserved', "runtime busy"),
        ("CreateContainerError", "context deadline exceeded", "runtime busy"),
        ("CreateContainerError", "mkdir /run/x: no space left on device", "free space on the node"),
        ("CreateContainerError", 'exec: "serve": executable file not found in $PATH', "correct command"),
    ],
)
def test_the_remedy_is_for_what_is_said(reason: str, message: str, remedy: str) -> None:
    pod = BuiltPod()
    pod.waiting("web", reason, message)
    (finding,) = bad_command(pod.cluster())
    assert remedy in finding.remedy


ABSENT = Ref("Secret", "shop", "absent")


@pytest.mark.parametrize("words", ['secret "absent" not found', 'secrets "absent" not found'], ids=["watch", "get"])
def test_a_kubelet_may_speak_in_the_api_servers_words(words: str) -> None:
    """What it says depends on how it is told to learn of changes."""
    pod = BuiltPod()
    pod.waiting("web", "CreateContainerConfigError", words)
    assert [finding.missing for finding in bad_reference(pod.cluster())] == [(ABSENT,)]
    pod = BuiltPod()
    pod.mounting("keys", secret=pb.SecretVolumeSource(secretName="absent"))
    pod.said("FailedMount", f'MountVolume.SetUp failed for volume "keys" : {words}')
    assert [finding.missing for finding in missing_object(pod.cluster())] == [(ABSENT,)]
