"""Logs become reports: those of real pods, and hostile ones."""

import msgspec
import pytest

from kubevitals.inventory.probed import understood
from kubevitals.probe.outcome import RanPod
from kubevitals.probe.parse import parse, parse_counters, parse_resolver
from kubevitals.probe.report import (
    ABSENT,
    Conntrack,
    KernelLimits,
    Lookup,
    Reach,
    Resolver,
    Route,
    Target,
    Through,
    Tracking,
)
from kubevitals.probe.routes import ROUTES, parse_routes
from tests.fake_probe import HEALTHY, NODES
from tests.probe_logs import DNS, NAME, RUN, TOKEN, looked_up, reached, report

# --- a healthy cluster of kind, as it was ---


NOT_ASKED = {Target.OPEN_SERVICE, Target.OPEN_ENDPOINT}
"""Targets that the recorded run did not have yet."""


def test_a_healthy_cluster_answers_everything() -> None:
    results = understood(HEALTHY)
    assert results.missing == ()
    assert set(results.reports) == set(NODES)
    for by_network in results.reports.values():
        for each in by_network.values():
            assert each.whole
            assert all(reach.ok and not reach.said for reach in each.reached), each.reached
            expected = set(Target) - NOT_ASKED - ({Target.KUBE_PROXY} if each.network == "pod" else set())
            assert {r.kind for r in each.reached} - NOT_ASKED == expected
            inside = [lookup for lookup in each.lookups if (each.network, lookup.through) != ("host", Through.RESOLVER)]
            assert {lookup.through for lookup in inside} >= {Through.SERVICE, Through.POD}
            assert all(lookup.addresses == ("10.96.0.1",) and lookup.answered == lookup.tries for lookup in inside)


def test_the_host_networks_probe_tells_of_its_node() -> None:
    for node, by_network in understood(HEALTHY).reports.items():
        host, pod = by_network["host"], by_network["pod"]
        assert len(host.conntrack) == 2
        assert all(0 < reading.count < reading.maximum for reading in host.conntrack)
        others = {f"10.244.{number}.0/24" for number in range(3)}
        assert len(others & {route.network for route in host.routes if route.via}) == len(NODES) - 1, node
        assert "0.0.0.0/0" in {route.network for route in host.routes}
        assert host.resolver == Resolver(("172.18.0.1",), (), ("ndots:0",))
        assert pod.resolver == Resolver(
            (DNS,), ("kubevitals-probe.svc.cluster.local", "svc.cluster.local", "cluster.local"), ("ndots:5",)
        )
        assert (pod.conntrack, pod.routes) == ((), ())


def test_the_nodes_own_resolver_knows_no_cluster_name() -> None:
    lookups = [lookup for by_network in understood(HEALTHY).reports.values() for lookup in by_network["host"].lookups]
    assert {lookup.said for lookup in lookups if lookup.through is Through.RESOLVER} == {"NXDOMAIN"}


# --- answers ---


def test_only_an_answer_with_the_token_is_one() -> None:
    found = reached(
        f"reach service 10.96.7.7 80 - 12 {TOKEN}",
        "reach service 10.96.7.7 80 - 3 <html>welcome to the proxy</html>",
        f"reach service 10.96.7.7 80 - 30 {TOKEN}",
    )
    assert found == Reach(Target.SERVICE, "10.96.7.7:80", "", 3, 2, 30, "<html>welcome to the proxy</html>")
    assert found.ok


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("wget: can't connect to remote host (10.96.7.7): Connection refused ", "can't connect"),
        ("", "no answer"),
        ("wget: server returned error: HTTP/1.1 503 Service Unavailable", "HTTP/1.1 503"),
        (TOKEN[:-1], TOKEN[:-1]),
    ],
)
def test_what_came_instead_of_an_answer_is_told(said: str, shown: str) -> None:
    found = reached(f"reach peer 10.244.1.5 8080 worker2 3000 {said}")
    assert (found.ok, found.ms, found.node) == (False, 3000, "worker2")
    assert shown in found.said


def test_an_api_server_is_known_by_what_only_it_says() -> None:
    right = "HTTP/1.0 400 Bad Request    Client sent an HTTP request to an HTTPS server."
    assert reached(f"reach api-service 10.96.0.1 443 - 5 {right}").ok
    assert not reached(f"reach api-endpoint 10.0.0.1 6443 - 5 HTTP/1.0 200 OK {TOKEN}").ok


def test_kube_proxy_is_healthy_by_its_own_answer() -> None:
    assert reached('reach kube-proxy 127.0.0.1 10256 worker 5 {"lastUpdated":"2026-11-24T10:28:11Z"').ok
    sick = reached("reach kube-proxy 127.0.0.1 10256 worker 5 wget: server returned error: HTTP/1.1 503 Unavailable")
    assert sick.said == "server returned error: HTTP/1.1 503 Unavailable"


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert reached(f"reach peer fd00::5 8080 worker2 3 {TOKEN}").address == "[fd00::5]:8080"


def test_the_token_is_never_shown() -> None:
    assert TOKEN not in str(report(f"reach api-service 10.96.0.1 443 - 5 say {TOKEN} twice {TOKEN}"))


SERVER = f"Server:  {DNS} Address: {DNS}:53 "


@pytest.mark.parametrize(
    ("said", "addresses", "shown"),
    [
        (f"{SERVER} Name: {NAME} Address: 10.96.0.1", ("10.96.0.1",), ""),
        (f"Server: {DNS} Address 1: {DNS} dns  Name: {NAME} Address 1: 10.96.0.1 k.d", ("10.96.0.1",), ""),
        (f"{SERVER} Name: {NAME} Address: 10.96.0.1  Name: {NAME} Address: fd00::1", ("10.96.0.1", "fd00::1"), ""),
        (f"{SERVER} Non-authoritative answer: Name: e.org Address: 192.0.2.1", ("192.0.2.1",), ""),
        (f"{SERVER} ** server can't find {NAME}: NXDOMAIN", (), "NXDOMAIN"),
        (f"{SERVER} ** server can't find {NAME}: SERVFAIL", (), "SERVFAIL"),
        (f"{SERVER} *** Can't find {NAME}: No answer", (), "No answer"),
        (";; connection timed out; no servers could be reached", (), "timed out"),
        ("", (), "timed out"),
        (f"{SERVER} Name: {NAME} Address: nonsense", (), f"{SERVER} Name: {NAME} Address: nonsense"),
    ],
)
def test_nslookups_words(said: str, addresses: tuple[str, ...], shown: str) -> None:
    found = looked_up(f"lookup {NAME} inside service {DNS} - 7 {said}")
    assert (found.addresses, found.said) == (addresses, " ".join(shown.split()))
    assert found.ok == bool(addresses)


def test_of_a_name_that_exists_nowhere_it_is_right_to_say_so() -> None:
    found = looked_up(f"lookup {ABSENT} outside service {DNS} - 4 {SERVER} ** server can't find {ABSENT}: NXDOMAIN")
    assert (found.ok, found.addresses, found.said) == (True, (), "")
    assert not looked_up(f"lookup {ABSENT} outside service {DNS} - 4 {SERVER} ** can't find {ABSENT}: SERVFAIL").ok


def test_a_lookup_counts_its_tries() -> None:
    found = looked_up(
        f"lookup e.org outside pod 10.244.0.2 kube-system/coredns-x 9 {SERVER} Name: e.org Address: 192.0.2.1",
        "lookup e.org outside pod 10.244.0.2 kube-system/coredns-x 3000 ",
    )
    expected = Lookup("e.org", True, Through.POD, "10.244.0.2", "kube-system/coredns-x", 2, 1, 9, ("192.0.2.1",))
    assert found == msgspec.structs.replace(expected, said="timed out")


# --- a pod that was cut off, and files ---


def test_a_log_is_whole_only_if_its_last_line_is_its_own_end() -> None:
    assert report("conntrack 1 2", f"end {RUN}", "").whole
    for lines in (["conntrack 1 2"], [f"end {RUN}", "conntrack 1 2"], ["end other"], [f"end {RUN} "[:-3]], []):
        assert not report(*lines).whole


def test_a_resolv_conf_is_read_as_the_resolver_does() -> None:
    lines = ["# made by", "domain a.example", "search b.example c.example ; note", "nameserver 10.0.0.1 x", "options"]
    assert parse_resolver([*lines, "nameserver", "options ndots:2 edns0"]) == Resolver(
        ("10.0.0.1",), ("b.example", "c.example"), ("ndots:2", "edns0")
    )
    assert parse_resolver([]) is None
    assert parse_resolver([""]) == Resolver()


def test_the_counters_of_all_cpus_are_summed_by_name() -> None:
    lines = ["entries drop early_drop", "0000000a 00000010 ffffffff", "0000000a 00000001 00000001", "cut 1"]
    assert parse_counters(lines) == {"entries": 20, "drop": 17, "early_drop": 2**32}


def test_readings_without_numbers_are_none() -> None:
    readings = report("conntrack 10 100", "conntrack none 100", "stat x", "conntrack 11 100", network="host").conntrack
    assert [reading.count for reading in readings] == [10]


def test_the_limits_of_the_kernel_are_read() -> None:
    line = "limits files 930 files_max 9223372036854775807 threads 350 pid_max x threads-max 192730"
    assert report(line, network="host").limits == KernelLimits(930, 2**63 - 1, 350, None, 192730)
    assert report("limits", network="host").limits == KernelLimits()
    assert report(line).limits is report(network="host").limits is None


def test_the_settings_of_connection_tracking_are_read() -> None:
    line = "tracking tcp_timeout_established 86400 tcp_timeout_close_wait 3600 tcp_loose x tcp_be_liberal"
    assert report(line, network="host").tracking == Tracking(86400, 3600)
    assert report("tracking", network="host").tracking == Tracking()
    assert report(line).tracking is report(network="host").tracking is None


def test_vital_readings_stand_in_for_a_log_that_cannot_be_read() -> None:
    vitals = f"conntrack 9 10\nresolv # read\nresolv nameserver 192.0.2.1\nreach peer 10.244.1.5 8080 two 3 {TOKEN}"
    pod = RanPod("worker", "host", "probe-x", reason="its log cannot be read: timed out", vitals=vitals)
    found = parse(pod, RUN, TOKEN)
    assert (found.whole, found.unread) == (False, "its log cannot be read: timed out")
    assert found.conntrack == (Conntrack(9, 10),)
    assert found.resolver == Resolver(("192.0.2.1",))
    assert [reach.ok for reach in found.reached] == [True]


def test_a_node_with_too_many_routes_is_not_judged_by_some_of_them() -> None:
    lines = [("route", f"eth0 {number:04X}F40A 0100000A FFFFFFFF") for number in range(ROUTES + 1)]
    assert len(parse_routes(lines[:-1])) == ROUTES
    assert parse_routes(lines) == ()


def test_the_address_families_with_a_default_route_are_read() -> None:
    assert report("defaults IPv4 IPv6 IPv9", network="host").default_routes == ("IPv4", "IPv6")
    assert report("defaults", network="host").default_routes == ()
    assert report("route eth0", network="host").default_routes is report("defaults IPv4").default_routes is None


def test_routes_are_read_from_both_files() -> None:
    zero = "0" * 32
    assert parse_routes(
        [
            ("route", "Iface Destination Gateway Mask"),
            ("route", "eth0 0001F40A 060012AC 00FFFFFF"),
            ("route", "* 0002F40A 00000000 00FFFFFF"),
            ("route6", f"eth0 fd00{'0' * 28} 40 {zero}"),
            ("route6", f"eth0 fe80{'0' * 28} 40 {zero}"),
            ("route6", f"eth0 {zero} 00 fd00{'0' * 27}1"),
        ]
    ) == (
        Route("10.244.1.0/24", "172.18.0.6", "eth0"),
        Route("10.244.2.0/24", "", "*"),
        Route("fd00::/64", "", "eth0"),
        Route("::/0", "fd00::1", "eth0"),
    )
