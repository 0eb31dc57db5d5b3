"""The certificate that a server shows in a TLS handshake, as far as it is read."""

import socket
import ssl
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from kubevitals.errors import NotObserved
from kubevitals.source.deadlines import Deadline
from kubevitals.source.request import Server
from kubevitals.text import clean

HANDSHAKE_TIMEOUT = 20.0
"""Seconds until a handshake must be complete, however often the server says a little."""


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


def shown_certificate(
    server: Server, name: str, authorities: Iterable[x509.Certificate], timeout: float
) -> Certificate:
    """Return the certificate that a server shows, whether or not it can be verified.

    Nothing is sent to the server but the name that is asked for: no credentials, no request.

    Raises:
        NotObserved: there is no TLS server, or its certificate cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection(server, timeout) as connection,
            Deadline(HANDSHAKE_TIMEOUT, lambda: connection.shutdown(socket.SHUT_RDWR)),
            context.wrap_socket(connection, server_hostname=name) as tls,
        ):
            encoded = tls.getpeercert(binary_form=True) or b""
        return parsed(x509.load_der_x509_certificate(encoded), authorities)
    except (OSError, ValueError) as error:
        raise NotObserved(f"the certificate of {server} cannot be read: {clean(str(error), 200)}") from error


def parsed(certificate: x509.Certificate, authorities: Iterable[x509.Certificate] = ()) -> Certificate:
    """Return what is read of a certificate, and whether one of the authorities has signed it."""
    return Certificate(
        clean(certificate.subject.rfc4514_string(), 300),
        clean(certificate.issuer.rfc4514_string(), 300),
        certificate.not_valid_before_utc.timestamp(),
        certificate.not_valid_after_utc.timestamp(),
        any(_is_issued_by(certificate, authority) for authority in authorities),
    )


def _is_issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def authorities_in(path: str | None) -> list[x509.Certificate]:
    """Return the certificates in a PEM file of CAs; none if it cannot be read."""
    with suppress(OSError, ValueError):
        return x509.load_pem_x509_certificates(Path(path or "").read_bytes())
    return []
