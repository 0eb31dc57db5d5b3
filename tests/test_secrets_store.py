"""What the Secrets Store CSI driver reports: the remedy is in the store or at the provider, not on the node's disk."""

import pytest

from kubevitals.facts.volumes.mounting import mount_remedy, volume_words

SET_UP = 'MountVolume.SetUp failed for volume "secrets" : rpc error: code = Unknown desc = '
OF_POD = "failed to mount secrets store objects for pod shop/web-0, err: "
OBJECTS = "rpc error: code = Unknown desc = failed to mount objects, error: "
GET = "failed to get objectType:secret, objectName:db, objectVersion:: "
FOLDER = "/etc/kubernetes/secrets-store-csi-providers"
AUTOREST = "keyvault.BaseClient#GetSecret: Failure responding to request: StatusCode={} -- Original Error: autorest"
TRACK_2 = "GET https://shop.vault.azure.net/secrets/db/\n--------\nRESPONSE {}: {}\n"


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ('error connecting to provider "azure": provider not found: provider "azure"', "start the provider's pod"),
        (f"failed to find provider binary azure, err: stat {FOLDER}/azure/provider-azure: no such file", "start the"),
        (f'rpc error: desc = "transport: dial unix {FOLDER}/vault.sock: connect: no such file"', "start the provider"),
        (OBJECTS + GET + AUTOREST.format(403), "allow the pod's identity"),
        (OBJECTS + GET + TRACK_2.format(403, "403 Forbidden"), "allow the pod's identity"),
        ("error making mount request: Code: 403. Errors:\n\n* permission denied", "allow the pod's identity"),
        ("eu-west-1: An IAM role must be associated with service account default", "the pod's service account"),
        ("rpc error: code = PermissionDenied desc = Permission denied on resource", "the pod's service account"),
        (OBJECTS + GET + AUTOREST.format(404), "create the secret in the store"),
        ("Failed to fetch secret from all regions. Verify secret exists", "the store has the secret"),
        ("failed to get keyvault client: nmi response failed with status code: 404", "log of the provider's pod"),
        ("open /data/token: no such file or directory", "log of the provider's pod"),
    ],
)
def test_the_remedy_is_in_the_store_or_at_its_provider(words: str, remedy: str) -> None:
    assert remedy in mount_remedy(SET_UP + OF_POD + words)


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (
            'failed to get secretproviderclass shop/db, error: SecretProviderClass.secrets-store.csi.x-k8s.io "db" '
            "not found",
            "create the SecretProviderClass",
        ),
        ('volume mode "Ephemeral" not supported by driver secrets-store.csi.k8s.io (no CSIDriver object)', "CSIDriver"),
    ],
)
def test_an_object_that_the_driver_needs_is_to_be_created(words: str, remedy: str) -> None:
    assert remedy in mount_remedy(words)


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ("stat /srv/azure/provider-azure: no such file or directory", "create the path on the node"),
        ("mount.nfs: access denied by server; StatusCode=403", "storage server's export"),
        ('volume mode "Ephemeral" not supported by driver disk.example (only supports ["Persistent"])', "fix what"),
    ],
)
def test_other_drivers_keep_their_remedies(words: str, remedy: str) -> None:
    assert remedy in mount_remedy(words)


def test_the_store_s_own_words_are_what_is_said() -> None:
    assert volume_words(SET_UP + OF_POD + OBJECTS + GET + "x") == GET + "x"
