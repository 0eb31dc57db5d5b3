"""What is read of certificates. The library that parses them is imported only where there is one."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from kubevitals.text import clean

if TYPE_CHECKING:
    from cryptography import x509


class Certificate(msgspec.Struct):
    """What is read of a certificate.

    Attributes:
        notBefore: since when it is valid, and until when (`notAfter`), in seconds since 1970.
        byCluster: whether the cluster's CA, which the credentials name, has signed it.
    """

    subject: str
    issuer: str
    notBefore: float  # noqa: N815
    notAfter: float  # noqa: N815
    byCluster: bool = False  # noqa: N815


def parsed(certificate: "x509.Certificate", authorities: Iterable["x509.Certificate"] = ()) -> Certificate:
    """Return what is read of a certificate, and whether one of the authorities has signed it."""
    return Certificate(
        clean(certificate.subject.rfc4514_string(), 300),
        clean(certificate.issuer.rfc4514_string(), 300),
        certificate.not_valid_before_utc.timestamp(),
        certificate.not_valid_after_utc.timestamp(),
        any(_is_issued_by(certificate, authority) for authority in authorities),
    )


def _is_issued_by(certificate: "x509.Certificate", authority: "x509.Certificate") -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def authorities_in(path: str | None) -> "list[x509.Certificate]":
    """Return the certificates in a PEM file of CAs; none if it cannot be read."""
    from cryptography import x509

    with suppress(OSError, ValueError):
        return x509.load_pem_x509_certificates(Path(path or "").read_bytes())
    return []
