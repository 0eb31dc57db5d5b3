"""Measures how long the network checks take to judge a probe of 1,000 nodes: ``python -m benchmarks.judge_network``.

Ten nodes are cut off, one DNS pod is unreachable, one node has no Service rules and one has a full conntrack table, so
that every rule finds something. The sum should be less than a second.
"""

import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING

from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.findings.declaration import Rule, variant_name
from kubevitals.inventory import probed
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.probed import ProbeResults
from kubevitals.probe.report import Conntrack, Lookup, ProbeNetwork, ProbeReport, Route, Target, Through
from tests.dns import MARK, dns_service, slice_of
from tests.fakes import cluster_of
from tests.networks import daemon, daemon_set, lookup, mesh, node, pod, reach

if TYPE_CHECKING:
    from kubevitals import schema_pb2 as pb

CHECKS = ("test_kube_proxy", "test_cluster_dns", "test_conntrack", "test_cni_daemonset")
NODES = 1000
DNS_PODS = 8


def main() -> None:
    """Print the seconds of each rule, and the sum."""
    names = [f"node-{number:04}" for number in range(NODES)]
    results = ProbeResults({name: _reports(name, pods) for name, pods in _meshed(names)}, (), ("10.96.7.7",), 30123)
    cluster = _cluster(names)
    cluster.pods, cluster.nodes, cluster.services, cluster.endpoint_slices  # noqa: B018 - lists are fetched first
    total = 0.0
    vars(probed)["_results"] = lambda _: results
    for module in map(import_module, (f"checks.{name}" for name in CHECKS)):
        for rule in _rules(module):
            total += _timed(rule, cluster)
    sys.stdout.write(f"{total:7.3f} s for {NODES:,} nodes\n")
    cluster.close()


def _timed(rule: Rule, cluster: Cluster) -> float:
    began, found, outcome = time.perf_counter(), 0, ""
    try:
        for _ in rule(cluster):
            found += 1
    except (NotObserved, NotApplicable) as error:
        outcome = f" ({type(error).__name__})"
    took = time.perf_counter() - began
    sys.stdout.write(f"{took:7.3f} s {variant_name(rule)}: {found} found{outcome}\n")
    return took


def _rules(module: object) -> list[Rule]:
    tests = [value for name, value in vars(module).items() if name.startswith("test_")]
    return [rule for test in tests for mark in test.pytestmark if mark.name == "parametrize" for rule in mark.args[1]]


def _meshed(names: list[str]) -> list[tuple[str, ProbeReport]]:
    cut_off = set(names[::100])
    reports = mesh(names, lambda *ends: bool(cut_off & set(ends)), (Target.PEER, Target.LARGE))
    return [(report.node, report) for report in reports]


def _reports(name: str, pods: ProbeReport) -> dict[ProbeNetwork, ProbeReport]:
    flushed = name.endswith("0055")
    more = (
        reach(Target.SERVICE, answered=0 if flushed else 2),
        reach(Target.NODE_PORT, name),
        reach(Target.API_SERVICE, answered=0 if flushed else 2),
        reach(Target.API_ENDPOINT),
    )
    asked = (
        lookup(Through.SERVICE),
        lookup(Through.SERVICE, outside=True),
        *(_at_pod(number) for number in range(DNS_PODS)),
    )
    full = Conntrack(1000 if name.endswith("0077") else 10, 1000)
    routes = tuple(Route(f"10.{number // 256}.{number % 256}.0/24", "10.0.0.1", "eth0") for number in range(1000))
    return {
        "pod": ProbeReport(name, "pod", whole=True, resolver=pods.resolver, reached=pods.reached + more, lookups=asked),
        "host": ProbeReport(
            name,
            "host",
            whole=True,
            resolver=pods.resolver,
            reached=(reach(Target.KUBE_PROXY, name),),
            conntrack=(full, full),
            routes=routes,
        ),
    }


def _at_pod(number: int) -> Lookup:
    return lookup(Through.POD, 0 if number == 3 else 2, pod=f"dns-{number}")


def _cluster(names: list[str]) -> Cluster:
    daemons = [daemon_set("kube-proxy"), daemon_set("kindnet")]
    pods: list[pb.Pod] = [daemon(of, name) for of in daemons for name in names]
    pods += [pod(f"dns-{number}", names[number + 1], labels=MARK) for number in range(DNS_PODS)]
    nodes = [node(name, cidr=f"10.{n // 256}.{n % 256}.0/24") for n, name in enumerate(names)]
    made = cluster_of(
        nodes=[*nodes],
        pods=[*pods],
        daemon_sets=[*daemons],
        services=[dns_service()],
        endpoint_slices=[slice_of(True)],
    )
    made.ask_kubelets = False
    return made


if __name__ == "__main__":
    main()
