"""What a kubeconfig must contain to be of use, so that its faults are not taken for faults of the cluster."""

import re
import ssl
from urllib.parse import urlsplit

from kubernetes import client

from kubevitals.errors import Unusable
from kubevitals.text import clean


def require_usable(settings: client.Configuration) -> None:
    """Refuse settings with which no request can be sent.

    Raises:
        Unusable: the server is no URL, or the certificates or the key cannot be read.
    """
    _require_server(settings.host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if settings.ssl_ca_cert:
        try:
            context.load_verify_locations(settings.ssl_ca_cert)
        except (OSError, ValueError) as error:
            raise Unusable(f"its certificate-authority cannot be used: {_words(error)}") from error
    if settings.cert_file:
        try:
            context.load_cert_chain(settings.cert_file, settings.key_file, password="")
        except (OSError, ValueError) as error:
            raise Unusable(f"its client certificate and key cannot be used: {_words(error)}") from error


def _require_server(host: str) -> None:
    try:
        url = urlsplit(host)
        fits = url.scheme in ("http", "https") and url.hostname and (url.port is None or url.port > 0)
    except ValueError:
        fits = False
    if not fits:
        given = f"its server {clean(host, 200)!r} is not a URL" if host else "its cluster has no server"
        raise Unusable(f"{given}: write one such as https://10.0.0.1:6443")


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        words = re.sub(r"\[.*?\] | \(_ssl.*", "", str(error))
        return "not in PEM format" if words == "PEM lib" else words
    return getattr(error, "strerror", "") or str(error)
