"""Sends a body to a server, once, within a time limit, and without following redirects.

What is wrong is said without any text of the URL, of the server or of a library: each may contain the URL, which may
contain credentials. The HTTP client is imported only where something is delivered.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit

if TYPE_CHECKING:
    from urllib3 import PoolManager

TIMEOUT = 10.0
"""Seconds for all of a delivery: to look up the name, to connect, to send and to receive the status."""

JSON = {"Content-Type": "application/json"}


class Undelivered(Exception):
    """Something could not be delivered; the message says why in a few words."""


@dataclass(frozen=True)
class Address:
    """Where something is delivered.

    Attributes:
        url: the URL without a user name and a password.
        credentials: the header that has these.
    """

    url: str = field(repr=False)
    credentials: dict[str, str] = field(repr=False)

    @classmethod
    def of(cls, text: str) -> "Address":
        """Return the address that a URL stands for.

        Raises:
            ValueError: it is not a URL of HTTP or HTTPS; the message says what is wrong, without any part of it.
        """
        from urllib3.util import make_headers

        url = _parts(text)
        user, password = unquote(url.username or ""), unquote(url.password or "")
        credentials = make_headers(basic_auth=f"{user}:{password}") if user or password else {}
        return cls(url._replace(netloc=url.netloc.rpartition("@")[2], fragment="").geturl(), credentials)

    def below(self, path: str) -> str:
        """Return the URL of a path below this one, unless this one ends with that path."""
        url = urlsplit(self.url)
        return url._replace(path=f"{url.path.rstrip('/').removesuffix(path)}{path}").geturl()


def _parts(text: str) -> SplitResult:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("it has characters that a URL does not have")
    try:
        url = urlsplit(text)
        host, _ = url.hostname, url.port
    except ValueError:
        raise ValueError("its host or its port is not valid") from None
    if url.scheme not in ("http", "https"):
        raise ValueError("it does not begin with https:// or http://")
    if not host:
        raise ValueError("it has no host")
    return url


def send(method: str, url: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Send a body, once.

    Raises:
        Undelivered: there is no answer in time, or one that is not a success.
    """
    failures: list[str] = []
    sender = Thread(target=lambda: failures.append(_failure(method, url, body, headers)), daemon=True)
    sender.start()
    sender.join(TIMEOUT)
    failure = failures[0] if failures else f"no answer within {TIMEOUT:g} s"
    if failure:
        raise Undelivered(failure)


def _failure(method: str, url: str, body: bytes, headers: Mapping[str, str]) -> str:
    """Return why a body could not be delivered; nothing if it could."""
    try:
        with _pool(url) as pool:
            options: dict[str, Any] = {
                "retries": False,
                "redirect": False,
                "preload_content": False,
                "timeout": TIMEOUT,
            }
            response = pool.request(method, url, body=body, headers=headers, **options)
            response.close()
    except Exception as error:  # its own text is not shown, whatever it is
        return _why(error)
    return _refusal(response.status)


def _pool(url: str) -> "PoolManager":
    """Return a client that uses the proxy of the environment, as the environment says."""
    from urllib.request import getproxies, proxy_bypass

    import urllib3

    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if not proxy or proxy_bypass(parts.hostname or ""):
        return urllib3.PoolManager()
    auth = unquote(urlsplit(proxy).netloc.rpartition("@")[0])
    return urllib3.ProxyManager(proxy, proxy_headers=urllib3.make_headers(proxy_basic_auth=auth) if auth else None)


def _refusal(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return f"the server answers HTTP {status}, and redirects are not followed: give the URL that it leads to"
    known = f" ({HTTPStatus(status).phrase})" if status in list(HTTPStatus) else ""
    return f"the server answers HTTP {status}{known}"


def _why(error: BaseException) -> str:
    from ssl import SSLError

    from urllib3 import exceptions

    match error:
        case exceptions.ProxyError():
            return f"by the proxy: {_why(error.original_error)}"
        case exceptions.NameResolutionError():
            return "the name of the server cannot be resolved"
        case exceptions.SSLError() | SSLError():
            return _of_tls(error)
        case exceptions.NewConnectionError():
            return f"no connection: {getattr(error.__cause__, 'strerror', '') or 'refused'}"
        case exceptions.TimeoutError():
            return f"no answer within {TIMEOUT:g} s"
        case exceptions.ProtocolError():
            return "the connection broke off"
    return f"the request failed ({type(error).__name__})"


def _of_tls(error: BaseException) -> str:
    """Return why there is no encrypted connection: OpenSSL's words, without the name of the server."""
    from ssl import SSLError

    cause = error.args[0] if error.args and isinstance(error.args[0], SSLError) else error
    words = getattr(cause, "verify_message", "") or str(getattr(cause, "reason", "")).replace("_", " ").lower()
    return f"TLS: {words.partition(',')[0] or 'no connection'}"
