"""One node forwards no packets of its pods: that is one root, whatever fails because of it."""

import pytest
from msgspec.structs import replace

from kubevitals import schema_pb2 as pb
from kubevitals.diagnosis.roots import Case, roots_of
from kubevitals.findings.explains import declared
from kubevitals.probe.report import Lookup, ProbeReport, Reach, Target, Through
from scenarios.harness import check_modules, verdicts
from tests.dns import A, B, dns_cluster
from tests.networks import FINE, UseProbe, daemon, daemon_set, lookup, mesh, node, reach

KINDNET, PROXY = daemon_set("kindnet"), daemon_set("kube-proxy")


def forwarding_dropped(names: list[str]) -> list[ProbeReport]:
    """Return what the probe reports after ``iptables -P FORWARD DROP`` on node two, where one of two DNS pods runs.

    The host network still reaches pods on other nodes, and Services with an endpoint on node two fail by chance.
    """
    reports = []
    for report in mesh(names, lambda *ends: "two" in ends):
        cut_off = report.node == "two"
        reached = [reach(Target.API_ENDPOINT, answered=2 * (not cut_off), address="192.0.2.1:6443")]
        reached += [reach(kind, answered=2 * (not cut_off)) for kind in (Target.SERVICE, Target.API_SERVICE)]
        reached += _node_ports(names, report.node)
        reports.append(replace(report, reached=(*report.reached, *reached), lookups=_lookups(report.node)))
        reports.append(
            ProbeReport(
                report.node, "host", whole=True, resolver=FINE, reached=(reach(Target.KUBE_PROXY, report.node),)
            )
        )
    return reports


def _node_ports(names: list[str], source: str) -> list[Reach]:
    return [replace(reach(Target.NODE_PORT, name, 0 if source == "two" else 1), tries=3) for name in names]


def _lookups(source: str) -> tuple[Lookup, ...]:
    by_a, by_b = 2 * (source != "two"), 2 * (source == "two")
    by_service = 0 if source == "two" else 1
    return (
        lookup(Through.POD, by_a, pod="dns-a"),
        lookup(Through.POD, 0 if source != "two" else by_b, pod="dns-b"),
        lookup(Through.SERVICE, by_service),
        lookup(Through.RESOLVER, by_service),
    )


def nodes(names: list[str]) -> list[pb.Node]:
    return [node(name, cidr=f"10.244.{number}.0/24") for number, name in enumerate(names)]


@pytest.mark.parametrize(
    "names", [["one", "two"], ["one", "two", "three"], ["one", "two", "three", "four", "five", "six"]]
)
def test_a_node_that_drops_what_it_forwards_is_the_only_root(use_probe: UseProbe, names: list[str]) -> None:
    use_probe(forwarding_dropped(names))
    pods = [A, B, *(daemon(ds, name) for ds in (KINDNET, PROXY) for name in names)]
    cluster = dns_cluster(nodes=nodes(names), pods=pods, daemon_sets=[KINDNET, PROXY])
    cases = [Case(v.cause, v.variant, finding) for v in verdicts(cluster) for finding, _ in v.judged]
    roots = roots_of(cases, declared(check_modules().values()))
    assert {f"{root.check} {root.finding.obj}" for root in roots.values()} == {"cni-daemonset[no-route] Node/two"}
