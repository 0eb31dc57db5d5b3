"""Names of Services that are resolved wrongly, and name servers that pods list themselves."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from checks.test_dns_answer import own_name_server, wrong_answer
from kubevitals import schema_pb2 as pb
from kubevitals.facts.dns.corefile import PATH, answering, corefile
from kubevitals.inventory.cluster import Cluster
from kubevitals.probe.report import Lookup, ProbeReport, Through
from kubevitals.source.recording import Recording, Snapshot
from kubevitals.source.request import Answer, Request
from tests.dns import MARK, SERVED, UNSERVED, A, dns_cluster, dns_service
from tests.fakes import Answers, FakeSource
from tests.networks import FINE, UseProbe, found, judged, lookup, pod, refused_by_rbac

NAME = "payments.shop.svc.cluster.local"
PAYMENTS = pb.Service(
    metadata=pb.ObjectMeta(name="payments", namespace="shop"),
    spec=pb.ServiceSpec(clusterIP="10.96.5.5", clusterIPs=["10.96.5.5"]),
)


def sampled(said: str = "", *addresses: str) -> Lookup:
    return Lookup(NAME, False, Through.SERVICE, "10.96.0.10", "", 2, 2 * bool(addresses), 3, addresses, said, True)


RIGHT, ABSENT, OTHER, LATE = (
    sampled("", "10.96.5.5"),
    sampled("NXDOMAIN"),
    sampled("", "192.0.2.9"),
    sampled("timed out"),
)


def seen_by(*nodes: Sequence[Lookup]) -> list[ProbeReport]:
    return [ProbeReport(f"node-{n}", "pod", whole=True, resolver=FINE, lookups=tuple(at)) for n, at in enumerate(nodes)]


COREFILE = """\
shop.example:53 {
    forward . 192.0.2.1
}
.:53 {
    errors # nothing to see
    template ANY ANY payments.shop.svc.cluster.local {
        rcode NXDOMAIN
    }
    rewrite name old.example new.example
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
    }
    forward . /etc/resolv.conf {
        max_concurrent 1000
    }
}
"""


def shop(corefile: str = COREFILE, answers: Answers | None = None, **lists: Sequence[Message]) -> Cluster:
    body = json.dumps({"data": {"Corefile": corefile}}).encode()
    return dns_cluster({PATH: Answer(200, body), **(answers or {})}, services=[dns_service(), PAYMENTS], **lists)


@pytest.mark.parametrize(
    ("nodes", "says"),
    [
        ([[SERVED, ABSENT], [SERVED, ABSENT]], "its name is not resolved (NXDOMAIN)"),
        ([[SERVED, RIGHT], [SERVED, ABSENT]], "its name is not resolved (NXDOMAIN)"),
        ([[SERVED, OTHER]], "its name resolves to 192.0.2.9, which is not its ClusterIP"),
        ([[SERVED, LATE], [SERVED, LATE]], "its name is not resolved (timed out)"),
    ],
    ids=["nowhere", "not on one node", "another address", "no answer"],
)
def test_a_name_that_is_resolved_wrongly(use_probe: UseProbe, nodes: list[Sequence[Lookup]], says: str) -> None:
    use_probe(seen_by(*nodes))
    (finding,), unseen = judged(wrong_answer, shop())
    assert unseen is None
    assert str(finding.obj) == "Service/shop/payments"
    assert says in finding.says
    assert any(
        "template ANY ANY payments.shop.svc.cluster.local { rcode NXDOMAIN }" in line for line in finding.evidence
    )


@pytest.mark.parametrize(
    "nodes",
    [
        [[SERVED, RIGHT]],
        [[SERVED, LATE], [SERVED, RIGHT]],
        [[UNSERVED, ABSENT], [SERVED, RIGHT]],
        [[ABSENT], [SERVED, RIGHT]],
    ],
    ids=["right", "late on one node", "no DNS on one node", "nothing else was looked up"],
)
def test_names_that_are_not_to_blame(use_probe: UseProbe, nodes: list[Sequence[Lookup]]) -> None:
    use_probe(seen_by(*nodes))
    assert found(wrong_answer, shop()) == []


def test_a_service_that_is_gone_by_now_is_left_alone(use_probe: UseProbe) -> None:
    use_probe(seen_by([SERVED, ABSENT]))
    assert found(wrong_answer, dns_cluster()) == []


def test_a_corefile_that_may_not_be_read_leaves_the_finding(use_probe: UseProbe) -> None:
    use_probe(seen_by([SERVED, ABSENT]))
    for answer in (refused_by_rbac, Answer(200, b"{}"), Answer(404, b"")):
        (finding,), _ = judged(wrong_answer, shop(answers={PATH: answer}))
        assert any("Corefile not observed" in line for line in finding.evidence)


def test_without_a_sample_nothing_is_observed(use_probe: UseProbe) -> None:
    use_probe(seen_by([SERVED]))
    assert "looked up no name of a Service" in str(judged(wrong_answer, shop())[1])


# --- the Corefile ---


@pytest.mark.parametrize(
    ("corefile", "shown"),
    [
        (COREFILE, ["template ANY ANY payments.shop.svc.cluster.local { rcode NXDOMAIN }", "rewrite name"]),
        (".:53 {\n kubernetes cluster.local\n forward . 192.0.2.1\n}", []),
        ("svc.cluster.local {\n forward . 192.0.2.1\n}\n.:53 {\n kubernetes cluster.local\n}", ["forward . 192.0.2.1"]),
        (
            "dns://cluster.local.:53 {\n hosts {\n 192.0.2.9 payments.shop.svc.cluster.local\n }\n kubernetes\n}",
            ["hosts"],
        ),
        ("", []),
        ("}}{{{\n}\n{\nx {", []),
    ],
    ids=["template", "plain", "stub domain", "hosts", "empty", "no Corefile"],
)
def test_the_block_that_answers_for_a_name(corefile: str, shown: list[str]) -> None:
    blocks = [str(block) for block in answering(corefile, NAME)]
    assert len(blocks) == len(shown)
    assert all(words in block for words, block in zip(shown, blocks, strict=True))


def test_a_recorded_corefile_is_redacted_and_the_rest_of_the_config_map_is_left_out(tmp_path: Path) -> None:
    body = json.dumps({"data": {"Corefile": "etcd {\n credentials root password=hunter2\n}", "other": "hunter3"}})
    source = Recording(FakeSource({PATH: Answer(200, body.encode())}), tmp_path / "x.recording")
    assert "etcd" in corefile(Cluster(source))
    source.close()
    replayed = Snapshot(tmp_path / "x.recording").get(Request(PATH)).body
    assert b"etcd" in replayed
    assert b"hunter" not in replayed


@given(st.text(alphabet="abc.:{}# \n*\\", max_size=200))
def test_any_corefile_can_be_read(corefile: str) -> None:
    assert len(answering(corefile, NAME)) <= 2


# --- name servers of pods ---

OWN = "192.0.2.53"


def with_own(*servers: str, policy: str = "None", name: str = "app") -> pb.Pod:
    made = pod(name, "node-0")
    made.spec.dnsPolicy = policy
    made.spec.dnsConfig.nameservers.extend(servers)
    return made


def at_own(answered: int, said: str = "timed out") -> Lookup:
    return lookup(Through.OWN, answered, server=OWN, said=said)


@pytest.mark.parametrize(
    ("made", "tried", "expected"),
    [
        (with_own(OWN), at_own(0), ["Pod/app"]),
        (with_own(OWN, policy="ClusterFirst"), at_own(0), ["Pod/app (warning)"]),
        (with_own(OWN, "10.96.0.10"), at_own(0), ["Pod/app (warning)"]),
        (with_own(OWN), at_own(3), []),
        (with_own(OWN), at_own(0, "NXDOMAIN"), []),
        (with_own("10.96.0.10"), at_own(3), []),
        (pod("app", "node-0"), at_own(3), []),
    ],
    ids=[
        "silent",
        "beside the cluster's",
        "beside DNS itself",
        "answers",
        "knows other names",
        "the cluster's",
        "none",
    ],
)
def test_a_name_server_of_a_pod_has_to_answer(
    use_probe: UseProbe, made: pb.Pod, tried: Lookup, expected: list[str]
) -> None:
    use_probe(seen_by([SERVED, tried]))
    assert found(own_name_server, shop(pods=[A, made])) == expected


def test_a_name_server_that_was_not_queried_is_not_observed(use_probe: UseProbe) -> None:
    use_probe(seen_by([SERVED]))
    findings, unseen = judged(own_name_server, shop(pods=[A, with_own(OWN)]))
    assert findings == []
    assert f"did not query {OWN}" in str(unseen)


@pytest.mark.usefixtures("no_probe")
def test_without_a_probe_it_is_a_remark() -> None:
    cluster = shop(pods=[A, with_own(OWN)])
    findings, unseen = judged(own_name_server, cluster)
    assert findings == []
    assert "no probe" in str(unseen)
    assert f"1 pod with name servers of their own: {OWN}" in cluster.remarks
    assert found(own_name_server, shop(pods=[A, pod("app", labels=MARK)])) == []
