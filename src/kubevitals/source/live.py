"""A live cluster: its API server, and its kubelets and pods where they are reached directly."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from threading import Lock
from typing import Any, cast
from urllib.parse import urlsplit

import msgspec
import urllib3
from kubernetes import client, config
from kubernetes.utils.retry import Backoff, on_error  # type: ignore[attr-defined]

from kubevitals.errors import NotObserved
from kubevitals.probe.plan import ProbePlan
from kubevitals.source.certificates import Certificate, authorities_in
from kubevitals.source.clock import Clock, clock
from kubevitals.source.credentials import connect, for_kubelets
from kubevitals.source.deadlines import limit_heads
from kubevitals.source.handshakes import shown_certificate
from kubevitals.source.plain_http import PlainHttpClient
from kubevitals.source.probing.run import run
from kubevitals.source.request import IN_CLUSTER, PROBE_HINT, Answer, Handshake, Kubelet, PlainHttp, Request, Server
from kubevitals.source.response import received, sent_at, words

CONNECT_TIMEOUT = 3.0
"""Seconds until an address that accepts no connection counts as unreachable."""

HTTPS = 443
"""The port of an address that has none."""

PATH_LIMIT = 16_384
"""Characters of a path with its query. Names have up to 253; a longer one is not a Kubernetes name."""

_BACKOFF = Backoff(steps=4, duration=0.5, factor=2.0, jitter=0.1)
_ERRORS = (urllib3.exceptions.HTTPError, client.ApiException, config.ConfigException, OSError, ValueError)
_BUSY = frozenset({429, 500, 502, 503, 504})


class _Busy(Exception):
    def __init__(self, answer: Answer) -> None:
        self.answer = answer


class Live:
    """Requests to a cluster, within time limits. Lists are retried if the server is busy or a connection breaks."""

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

        With the pod's own, kubelets are reached directly, unless `ask_kubelets_directly` says otherwise. Their
        certificates are verified with the cluster's CA. With `kubelet_insecure_tls` any certificate is accepted, so
        that whatever answers at a kubelet's address receives the credentials.

        Raises:
            Unusable: there are no credentials, or they do not say how to reach a cluster.
        """
        self._client, self.context = connect(context, kubeconfig)
        self.waits = True
        in_cluster = self.context == IN_CLUSTER
        self._directly = in_cluster if ask_kubelets_directly is None else ask_kubelets_directly
        self._kubelets = for_kubelets(self._client, verify=not kubelet_insecure_tls)
        for api in (self._client, self._kubelets):
            limit_heads(api.rest_client.pool_manager)
        self._timeout = (CONNECT_TIMEOUT, read_timeout)
        self._plain_http = PlainHttpClient(CONNECT_TIMEOUT, read_timeout)
        self._lock = Lock()
        self._clock: Clock | None = None
        self._unreachable: str | None = None

    @property
    def now(self) -> datetime:
        """The API server's clock at the first request; this machine's clock if the API server does not answer."""
        return self._time.now

    @property
    def clock(self) -> str:
        """What the user should know about the time; empty if it is the API server's."""
        return self._time.remark

    @property
    def _time(self) -> Clock:
        with self._lock:
            if self._clock is None:
                self._clock = clock(self._server_time(), self.get)
            return self._clock

    def get(self, request: Request) -> Answer:
        """Return the answer of the API server, or of the kubelet or pod that is reached directly.

        Raises:
            NotObserved: the target cannot be reached, does not answer in time, or keeps breaking off its answers.
        """
        if len(request.path) > PATH_LIMIT:
            raise NotObserved(f"the path has {len(request.path):,} characters: {request.path}")
        target = request.target
        if isinstance(target, Handshake):
            return Answer(200, msgspec.json.encode(self._certificate(target)))
        kubelet = None
        if self._directly and not isinstance(target, str):
            if isinstance(target, PlainHttp) or not target.server:
                return self._plain_http.get(target.server, target.endpoint, request)
            kubelet = target
        ask = partial(on_error, _BACKOFF, _is_transient, lambda: self._ask(request, kubelet))
        return self._explained(ask, kubelet.server if kubelet else None)

    def send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """Send a request that changes the cluster, once only, and return the API server's answer.

        Raises:
            NotObserved: the API server cannot be reached or does not answer in time; the change may have been made.
        """
        return self._explained(lambda: received(self._send(method, path, "application/json", body)))

    def probe(self, plan: ProbePlan | None) -> bytes:
        """Run the probe in the cluster.

        Raises:
            NotObserved: there is no plan, or the probe could not run.
        """
        if plan is None:
            reason = f"only visible from inside the cluster's network ({PROBE_HINT})"
            raise NotObserved(reason, unasked=True)
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
        self._plain_http.close()

    def _ask(self, request: Request, kubelet: Kubelet | None) -> Answer:
        path, server = (f"/{kubelet.endpoint}", kubelet.server) if kubelet else (request.path, None)
        answer = received(self._send("GET", path, request.accept, kubelet=server), request)
        if request.schema and answer.status in _BUSY:
            raise _Busy(answer)
        return answer

    def _certificate(self, handshake: Handshake) -> Certificate:
        settings = self._client.configuration
        url = urlsplit(settings.host)
        if handshake.node and not self._directly:
            reason = "kubelets are not reached directly, which shows their certificates (--kubelet=direct)"
            raise NotObserved(reason, unasked=True)
        if not handshake.node and (url.scheme != "https" or settings.proxy):
            raise NotObserved(
                "the API server is not reached directly by TLS, which shows its certificate", unasked=True
            )
        server = handshake.server if handshake.node else Server(url.hostname or "", url.port or HTTPS)
        if server is None:
            raise NotObserved("the node reports no internal address")
        name = server.host if handshake.node else settings.tls_server_name or server.host
        return shown_certificate(server, name, authorities_in(settings.ssl_ca_cert), CONNECT_TIMEOUT)

    def _send(
        self,
        method: str,
        path: str,
        accept: str = "*/*",
        body: Mapping[str, Any] | None = None,
        kubelet: Server | None = None,
    ) -> urllib3.BaseHTTPResponse:
        api = self._kubelets if kubelet else self._client
        method, url, headers, _, _ = api.param_serialize(
            method, path, header_params={"Accept": accept}, auth_settings=["BearerToken"]
        )
        if kubelet:
            url = f"https://{kubelet}{path}"
        stripped = {name: value.strip() for name, value in headers.items()}  # a token file may end in a newline
        if method == "PATCH":
            stripped["Content-Type"] = "application/merge-patch+json"
        sent = api.call_api(method, url, stripped, body, _request_timeout=self._timeout)
        return cast("urllib3.BaseHTTPResponse", sent.response)

    def _server_time(self) -> float:
        try:
            response = self._send("HEAD", "/version")
        except (*_ERRORS, NotObserved):
            return 0
        response.release_conn()
        return sent_at(response)

    def _explain(self, error: Exception, kubelet: Server | None) -> str:
        host = f"https://{kubelet}" if kubelet else self._client.configuration.host
        if isinstance(error, urllib3.exceptions.ReadTimeoutError):
            return f"{host} did not answer within {self._timeout[1]:g} s"
        refused = isinstance(error, urllib3.exceptions.NewConnectionError)
        if isinstance(error, urllib3.exceptions.ConnectTimeoutError) and not refused:
            return f"{host} cannot be reached: no connection within {CONNECT_TIMEOUT:g} s"
        if isinstance(error, client.ApiException):
            hint = " (--kubelet-insecure-tls accepts any certificate)" if kubelet else ""
            return f"{host} cannot be reached: TLS: {str(error.reason).rpartition('] ')[2]}{hint}"
        if isinstance(error, ValueError) and not isinstance(error, urllib3.exceptions.HTTPError):
            return f"{host} cannot be reached: the credentials contain characters that an HTTP header cannot hold"
        return f"{host} cannot be reached: {words(error)}"


def _is_transient(error: Exception) -> bool:
    """Return whether the same request may succeed later. After a timeout it is not repeated."""
    if isinstance(error, urllib3.exceptions.TimeoutError | urllib3.exceptions.SSLError):
        return False
    return isinstance(error, _Busy | urllib3.exceptions.HTTPError | OSError)
