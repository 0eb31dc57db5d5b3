"""Nodes and CNI pods as the tests of the CNI build them."""

from tests.networks import daemon, daemon_set, node

KINDNET = daemon_set("kindnet")


NAMES = ("one", "two", "three", "four", "five", "six")


NODES = [node(name, cidr=f"10.244.{number}.0/24") for number, name in enumerate(NAMES)]


PODS = [daemon(KINDNET, name) for name in NAMES]
