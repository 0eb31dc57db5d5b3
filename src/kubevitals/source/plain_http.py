"""Who answers anybody inside the cluster's network: asked by plain HTTP, without credentials."""

from ipaddress import ip_address

import urllib3

from kubevitals.errors import NotObserved
from kubevitals.source.deadlines import bound
from kubevitals.source.request import Answer, Request
from kubevitals.source.response import received, words

_METRICS, _HEALTH = (200,), (200, 503)
"""What is answered by those who are asked; anything else comes from somebody between, such as a mesh's proxy."""


class Openly:
    """Asks those themselves whom the API server's proxy would ask."""

    def __init__(self, connect_timeout: float, read_timeout: float) -> None:
        timeout = urllib3.Timeout(connect=connect_timeout, read=read_timeout)
        self._pool = urllib3.PoolManager(timeout=timeout)
        bound(self._pool)

    def get(self, request: Request) -> Answer:
        """Return the answer.

        Raises:
            NotObserved: nobody can be asked, or there is no answer. Where a firewall or a network policy stands
                between there never is one: so this counts as left out by the options (``--kubelet=proxy`` lets it in).
        """
        if request.open is None:
            raise NotObserved("only the API server's proxy can ask for it (--kubelet=proxy)", unasked=True)
        url = f"http://{request.open}{request.behind}"
        try:
            ip_address(request.open.host)
            response = self._pool.request("GET", url, retries=False, redirect=False, preload_content=False)
            answer = received(response, request)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise NotObserved(f"{url} cannot be asked: {words(error)} (--kubelet=proxy)", unasked=True) from error
        if answer.status not in (_HEALTH if request.json else _METRICS):
            raise NotObserved(f"{url} answers HTTP {answer.status} (--kubelet=proxy)", unasked=True)
        return answer

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()
