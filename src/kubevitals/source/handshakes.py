"""The certificate that a server shows in a TLS handshake."""

import socket
import ssl
from collections.abc import Iterable

from cryptography import x509

from kubevitals.errors import NotObserved
from kubevitals.source.certificates import Certificate, parsed
from kubevitals.source.deadlines import Deadline
from kubevitals.source.request import Server
from kubevitals.text import clean

HANDSHAKE_TIMEOUT = 20.0
"""Seconds until a handshake must be complete, however often the server says a little."""


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
