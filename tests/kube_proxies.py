"""Nodes, kube-proxies and what a probe reached, as the tests of kube-proxy build them."""

from tests.networks import (
    daemon,
    daemon_set,
    node,
)

PROXY = daemon_set("kube-proxy")


NODES = [node("one"), node("two"), node("three")]


PODS = [daemon(PROXY, n.metadata.name) for n in NODES]
