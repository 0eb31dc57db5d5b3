"""When certificates expire that everybody may read: the CA bundles of webhooks and aggregated APIs."""

import re

from kubevitals.source.certificates import Certificate, parsed

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]{1,65536}-----END CERTIFICATE-----")

BUNDLED = 200
"""Certificates of a bundle that are read; bundles of public CAs have about 150."""


def last_to_expire(bundle: bytes) -> Certificate | None:
    """Return the certificate of a PEM bundle that expires last; nothing if it has none, or one that cannot be read."""
    found = _PEM.findall(bundle)
    if not found or len(found) > BUNDLED:
        return None
    from cryptography import x509

    try:
        return max((parsed(x509.load_pem_x509_certificate(pem)) for pem in found), key=lambda one: one.notAfter)
    except ValueError:
        return None
