"""What the Secrets Store CSI driver and its providers report about a volume that they cannot fill, with what helps."""

import re

_FROM_STORE = r"failed to mount secrets store objects[\s\S]{0,2000}?"

SECRETS_STORE_ERRORS = (
    (
        r"not supported by driver \S{1,253} \(no CSIDriver object\)",
        "create the driver's CSIDriver, which its manifests contain: without it no inline volume is mounted",
    ),
    (
        r"failed to find provider binary|error connecting to provider|/secrets-store-csi-providers/",
        "start the provider's pod on the node (its DaemonSet), with its socket in the folder that the Secrets Store "
        "CSI driver reads",
    ),
    (
        r"failed to get secretproviderclass [^\n]{1,1000}not found",
        "create the SecretProviderClass in the pod's namespace, or correct its name in the volume",
    ),
    (
        _FROM_STORE + r"(?:Status(?:Code)?=|RESPONSE |Code: )403\b",
        "allow the pod's identity to read the secret in the store, or correct the identity in the SecretProviderClass",
    ),
    (
        _FROM_STORE + r"(?:AccessDenied|code = PermissionDenied|IAM role must be associated)",
        "allow the identity of the pod's service account to read the secret in the store",
    ),
    (
        _FROM_STORE + r"(?:StatusCode=|RESPONSE )404\b",
        "create the secret in the store, or correct its name in the SecretProviderClass",
    ),
    (
        _FROM_STORE + r"failed to fetch secret from all regions",
        "check that the store has the secret under this name, and that the identity of the pod's service account may "
        "read it",
    ),
    (
        _FROM_STORE,
        "correct the SecretProviderClass, or what the message reports; the log of the provider's pod on the node has "
        "more",
    ),
)
"""kubernetes/kubernetes pkg/volume/csi/csi_plugin.go; kubernetes-sigs/secrets-store-csi-driver pkg/secrets-store;
Azure/secrets-store-csi-driver-provider-azure pkg/provider/provider.go, with Azure's SDK, and its issue 925;
aws/secrets-store-csi-driver-provider-aws provider/secrets_manager_provider.go; HashiCorp's API client for Vault."""

_PREFIX = re.compile(
    r"(?:rpc error: code = \w{1,40} desc = )?failed to mount (?:secrets store objects for pod \S{1,320}, err|objects, "
    r"error): (?:rpc error: code = \w{1,40} desc = )?"
)


def store_words(words: str) -> str:
    """Return a message without the driver's prefixes, which name the pod."""
    return _PREFIX.sub("", words)
