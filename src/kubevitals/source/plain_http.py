"""Unauthenticated plain-HTTP requests to in-cluster endpoints: CoreDNS metrics, kube-proxy health."""

from ipaddress import ip_address

import urllib3

from kubevitals.errors import NotObserved
from kubevitals.source.deadlines import limit_heads
from kubevitals.source.request import Answer, Request, Server
from kubevitals.source.response import received, words

_METRICS, _HEALTH = (200,), (200, 503)
"""The statuses of these endpoints; any other comes from something in between, such as a service mesh's proxy."""


class PlainHttpClient:
    """Requests endpoints directly that the API server's proxy would otherwise be asked for."""

    def __init__(self, connect_timeout: float, read_timeout: float) -> None:
        timeout = urllib3.Timeout(connect=connect_timeout, read=read_timeout)
        self._pool = urllib3.PoolManager(timeout=timeout)
        limit_heads(self._pool)

    def get(self, server: Server | None, endpoint: str, request: Request) -> Answer:
        """Return the answer of an endpoint.

        Raises:
            NotObserved: there is no address, or no answer. Behind a firewall or a network policy there never is one,
                so it counts as left out by the run's options: ``--kubelet=proxy`` would get it.
        """
        if server is None:
            raise NotObserved("only the API server's proxy can reach it (--kubelet=proxy)", unasked=True)
        url = f"http://{server}/{endpoint}"
        try:
            ip_address(server.host)
            response = self._pool.request("GET", url, retries=False, redirect=False, preload_content=False)
            answer = received(response, request)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise NotObserved(f"{url} cannot be reached: {words(error)} (--kubelet=proxy)", unasked=True) from error
        if answer.status not in (_HEALTH if request.json else _METRICS):
            raise NotObserved(f"{url} answers HTTP {answer.status} (--kubelet=proxy)", unasked=True)
        return answer

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()
