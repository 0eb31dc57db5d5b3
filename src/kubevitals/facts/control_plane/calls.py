"""Why the API server cannot call a program whose pods are ready, by its own words: what helps then."""

import re

from kubevitals.errors import NotObserved
from kubevitals.facts.apps.services import ServiceName, ready_endpoints
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref

_REMEDIES = (
    (
        r"bad status from \S{1,500}: 404",
        "see what answers at that address: another program may have the port, as the kubelet has 10250 in the host's "
        "network",
    ),
    (
        r"bad status from \S{1,500}: 40[13]",
        "let {of} accept the API server's proxy certificate: it reads the CA in ConfigMap "
        "kube-system/extension-apiserver-authentication, which it must be allowed to",
    ),
    (r"x509: certificate has expired or is not yet valid", "renew the certificate that {of} serves with"),
    (
        r"x509: |tls: ",
        "put the CA that signed the certificate of {of} into caBundle, or let that certificate be for its host name",
    ),
    (
        r"No agent available",
        "bring konnectivity-agent back: the API server reaches pods only by way of it",
    ),
    (
        r"proxyconnect|: Forbidden\Z",
        "keep the API server's HTTP proxy out of the cluster: its NO_PROXY must contain .svc and the networks of pods "
        "and Services",
    ),
    (
        r"deadline exceeded|Client\.Timeout|i/o timeout|no route to host|network is unreachable|Address is not allowed",
        "let the API server reach the pods behind {of}, which are ready: look for a firewall or a security group "
        "that does not allow the pods' port, a NetworkPolicy, and a control plane outside of the pod network (then "
        "hostNetwork)",
    ),
)
"""Words of the API server (golang/go crypto/x509, net, net/http; kubernetes-sigs/apiserver-network-proxy pkg/server;
kubernetes/kube-aggregator pkg/controllers/status/remote/remote_available_controller.go).

What helped then: kubernetes-sigs/metrics-server#543, #1010; knative/serving#13045; cert-manager.io/docs: compatibility.
"""


def call_remedy(words: str, service: Ref, cluster: Cluster) -> str:
    """Return what helps if the API server cannot call a Service with ready endpoints; empty if it has none."""
    try:
        ready = cluster.derive(ready_endpoints).get(ServiceName(service.namespace, service.name))
    except NotObserved:
        return ""
    known = (remedy for text, remedy in _REMEDIES if re.search(text, words))
    return next(known, "read the log of the pods behind {of}, which are ready").format(of=service) if ready else ""
