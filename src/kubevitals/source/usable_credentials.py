"""What a kubeconfig must contain to be of use, so that its faults are not taken for faults of the cluster."""

import re
import ssl
import subprocess
from types import SimpleNamespace
from urllib.parse import urlsplit

from kubernetes import client, config
from kubernetes.config import exec_provider

from kubevitals.errors import Unusable
from kubevitals.text import clean

PLUGIN_SECONDS = 60.0
"""How long a credential plugin may take: a user may have to log in."""


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


class _LimitedProcess(subprocess.Popen[str]):
    """A credential plugin, which the client would wait for without end."""

    def communicate(self, input: str | None = None, timeout: float | None = None) -> tuple[str, str]:  # noqa: A002
        """Return what the plugin printed.

        Raises:
            ConfigException: it takes too long.
        """
        try:
            return super().communicate(input, timeout or PLUGIN_SECONDS)
        except subprocess.TimeoutExpired as error:
            self.kill()
            self.wait()
            for stream in filter(None, (self.stdout, self.stderr)):
                stream.close()
            name = clean(str(self.args[0] if isinstance(self.args, list) else self.args), 200)
            raise config.ConfigException(f"exec: {name} took longer than {PLUGIN_SECONDS:g} s") from error


def limit_plugins() -> None:
    """Have the client limit the time of credential plugins, also when it renews a token."""
    limited = SimpleNamespace(Popen=_LimitedProcess, PIPE=subprocess.PIPE)
    setattr(exec_provider, "subprocess", limited)  # noqa: B010 - mypy knows the module's own
