"""The certificates that the API server and kubelets show in TLS handshakes."""

from collections.abc import Iterator

import msgspec
from msgspec.json import Decoder

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.inventory.circuit_breaker import StartedRequest
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.fetching import answers
from kubevitals.inventory.kubelet import address
from kubevitals.inventory.node_sample import node_breaker, queried_nodes
from kubevitals.objects import path
from kubevitals.source.certificates import Certificate
from kubevitals.source.request import Answer, Handshake, Request

_CERTIFICATE = Decoder(Certificate)


def of_api_server(cluster: Cluster) -> Certificate:
    """Return the certificate of the API server.

    Raises:
        NotObserved: it cannot be read, or the API server is not reached directly by TLS.
    """
    return _decoded(cluster.fetcher.get(Request(Handshake(), json=_CERTIFICATE)))


def of_kubelets(cluster: Cluster) -> Iterator[tuple[pb.Node, Certificate]]:
    """Yield the certificate of each node's kubelet, or of a sample; all are read at once.

    Raises:
        NotObserved: kubelets are not queried directly, or, after the last one, some certificate could not be read.
    """
    if not cluster.ask_kubelets:
        raise NotObserved("kubelets are not queried (--kubelet=none)", unasked=True)
    yield from answers(cluster.derive(_handshakes), lambda node, answer: (node, _decoded(answer)))


def _handshakes(cluster: Cluster) -> list[tuple[pb.Node, StartedRequest]]:
    breaker = node_breaker(cluster, "kubelets", len(queried_nodes(cluster)))
    return [
        (node, cluster.fetcher.submit(Request(Handshake(path(node), address(node)), json=_CERTIFICATE), breaker))
        for node in queried_nodes(cluster)
    ]


def _decoded(answer: Answer) -> Certificate:
    try:
        return _CERTIFICATE.decode(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NotObserved(f"a certificate cannot be read: {error}") from error
