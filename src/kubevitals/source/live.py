"""A cluster, asked through its API server."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from threading import Lock
from typing import Any, cast

import msgspec
import urllib3
from kubernetes import client, config
from kubernetes.utils.retry import Backoff, on_error  # type: ignore[attr-defined]

from kubevitals.errors import NotObserved
from kubevitals.probe.plan import ProbePlan
from kubevitals.source.credentials import IN_CLUSTER, connect, for_kubelets
from kubevitals.source.deadlines import bound
from kubevitals.source.plain_http import Openly
from kubevitals.source.probing.run import run
from kubevitals.source.request import PROBE_HINT, Answer, Request, Server
from kubevitals.source.response import received, words

CONNECT_TIMEOUT = 3.0
"""Seconds until an address that does not answer counts as unreachable."""

_BACKOFF = Backoff(steps=4, duration=0.5, factor=2.0, jitter=0.1)
_ERRORS = (urllib3.exceptions.HTTPError, client.ApiException, config.ConfigException, OSError, ValueError)
_BUSY = frozenset({429, 500, 502, 503, 504})


class _Busy(Exception):
    def __init__(self, answer: Answer) -> None:
        self.answer = answer


class Live:
    """Asks a cluster, within time limits; lists are retried when the server is busy or a connection breaks."""

    def __init__(
        self,
        context: str | None = None,
        kubeconfig: str | None = None,
        read_timeout: float = 10.0,
        *,
        ask_kubelets_directly: bool | None = None,
        kubelet_insecure_tls: bool = False,
    ) -> None:
        """Load the credentials that kubectl would use: `kubeconfig`, KUBECONFIG, ~/.kube/config, or the pod's own.

        With the latter kubelets are asked directly unless `ask_kubelets_directly` says otherwise. Their certificates
        are verified with the cluster's, unless `kubelet_insecure_tls`: they then get credentials whoever they are.

        Raises:
            Unusable: there are none, or they do not say how to reach a cluster.
        """
        self._client, self.context = connect(context, kubeconfig)
        in_cluster = self.context == IN_CLUSTER
        self._directly = in_cluster if ask_kubelets_directly is None else ask_kubelets_directly
        self._kubelets = for_kubelets(self._client, verify=not kubelet_insecure_tls)
        for asked in (self._client, self._kubelets):
            bound(asked.rest_client.pool_manager)
        self._timeout = (CONNECT_TIMEOUT, read_timeout)
        self._openly = Openly(CONNECT_TIMEOUT, read_timeout)
        self._lock = Lock()
        self._now: datetime | None = None
        self._unreachable: str | None = None

    @property
    def now(self) -> datetime:
        """The API server's clock when it was first asked; this machine's where it does not answer."""
        with self._lock:
            if self._now is None:
                self._now = self._server_time() or datetime.now(UTC)
            return self._now

    def get(self, request: Request) -> Answer:
        """Return the API server's answer.

        Raises:
            NotObserved: it cannot be reached, does not answer in time, or breaks off again and again; or its proxy
                would have to ask, kubelets are asked directly, and who is to be asked does not answer itself.
        """
        kubelet = request.kubelet if self._directly else None
        if self._directly and request.proxied and not kubelet:
            return self._openly.get(request)
        ask = partial(on_error, _BACKOFF, _is_transient, lambda: self._ask(request, kubelet))
        return self._explained(ask, kubelet)

    def send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """Return the API server's answer to a request that changes the cluster, sent once only.

        Raises:
            NotObserved: it cannot be reached or does not answer in time; what became of the request is not known.
        """
        return self._explained(lambda: received(self._send(method, path, "application/json", body)))

    def probe(self, plan: ProbePlan | None) -> bytes:
        """Run the probe in the cluster.

        Raises:
            NotObserved: there is no plan for it, or it could not be run.
        """
        if plan is None:
            raise NotObserved(f"seen only from inside the cluster's network {PROBE_HINT}", unasked=True)
        return msgspec.json.encode(run(self, plan))

    def _explained(self, ask: Callable[[], Answer], kubelet: Server | None = None) -> Answer:
        if self._unreachable and not kubelet:
            raise NotObserved(self._unreachable)
        try:
            return ask()
        except _Busy as busy:
            return busy.answer
        except _ERRORS as error:
            reason = self._explain(error, kubelet)
            if isinstance(error, urllib3.exceptions.ConnectTimeoutError) and not kubelet:
                self._unreachable = reason
            raise NotObserved(reason) from error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._kubelets.close()
        self._openly.close()

    def _ask(self, request: Request, kubelet: Server | None) -> Answer:
        path = request.behind if kubelet else request.path
        answer = received(self._send("GET", path, request.accept, kubelet=kubelet), request)
        if request.schema and answer.status in _BUSY:
            raise _Busy(answer)
        return answer

    def _send(
        self,
        method: str,
        path: str,
        accept: str = "*/*",
        body: Mapping[str, Any] | None = None,
        kubelet: Server | None = None,
    ) -> urllib3.BaseHTTPResponse:
        asked = self._kubelets if kubelet else self._client
        method, url, headers, _, _ = asked.param_serialize(
            method, path, header_params={"Accept": accept}, auth_settings=["BearerToken"]
        )
        if kubelet:
            url = f"https://{kubelet}{path}"
        stripped = {name: value.strip() for name, value in headers.items()}  # a token file may end in a newline
        if method == "PATCH":
            stripped["Content-Type"] = "application/merge-patch+json"
        sent = asked.call_api(method, url, stripped, body, _request_timeout=self._timeout)
        return cast("urllib3.BaseHTTPResponse", sent.response)

    def _server_time(self) -> datetime | None:
        try:
            response = self._send("HEAD", "/version")
        except (*_ERRORS, NotObserved):
            return None
        response.release_conn()
        try:
            return parsedate_to_datetime(response.headers.get("Date", "")).replace(tzinfo=UTC)
        except ValueError:
            return None

    def _explain(self, error: Exception, kubelet: Server | None) -> str:
        host = f"https://{kubelet}" if kubelet else self._client.configuration.host
        if isinstance(error, urllib3.exceptions.ReadTimeoutError):
            return f"{host} did not answer within {self._timeout[1]:g} s"
        refused = isinstance(error, urllib3.exceptions.NewConnectionError)
        if isinstance(error, urllib3.exceptions.ConnectTimeoutError) and not refused:
            return f"{host} cannot be reached: no connection within {CONNECT_TIMEOUT:g} s"
        if isinstance(error, client.ApiException):
            hint = " (--kubelet-insecure-tls accepts any certificate)" if kubelet else ""
            return f"{host} cannot be asked: TLS: {str(error.reason).rpartition('] ')[2]}{hint}"
        if isinstance(error, ValueError) and not isinstance(error, urllib3.exceptions.HTTPError):
            return f"{host} cannot be asked: the credentials hold characters that no HTTP header can"
        return f"{host} cannot be asked: {words(error)}"


def _is_transient(error: Exception) -> bool:
    """Return whether the same request may go through later; a server that was waited for is not asked again."""
    if isinstance(error, urllib3.exceptions.TimeoutError | urllib3.exceptions.SSLError):
        return False
    return isinstance(error, _Busy | urllib3.exceptions.HTTPError | OSError)
