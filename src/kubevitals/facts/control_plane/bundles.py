"""When certificates expire that everybody may read: the CA bundles of webhooks and aggregated APIs."""

import re
from datetime import datetime

from cryptography import x509

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]{1,65536}-----END CERTIFICATE-----")

BUNDLED = 200
"""Certificates of a bundle that are read; bundles of public CAs have about 150."""


def expiry(bundle: bytes) -> datetime | None:
    """Return when the last certificate of a PEM bundle expires; nothing if it has none, or one that cannot be read."""
    found = _PEM.findall(bundle)
    if not found or len(found) > BUNDLED:
        return None
    try:
        return max(x509.load_pem_x509_certificate(pem).not_valid_after_utc for pem in found)
    except ValueError:
        return None
