"""Calico's address pools, by objects as Calico writes them: full, nearly full, free, and with strict affinity."""

from typing import Any

import pytest

from checks.test_ip_allocation import EXPLAINS, headroom, pool_exhausted
from kubevitals.diagnosis.roots import Case, roots_of
from kubevitals.errors import NotApplicable
from kubevitals.facts.address_pools.calico_selectors import parsed
from kubevitals.inventory.cluster import Cluster
from kubevitals.source.request import Answer
from tests.custom_resources import NAMESPACES, Objects, cluster_for, in_json, listed, named, says
from tests.fakes import Answers, FakeSource, Said, status_json
from tests.networks import judged
from tests.test_ip_allocation import event, stuck

CALICO = "/apis/crd.projectcalico.org/v1/"


def pool(name: str, cidr: str = "10.0.0.0/29", **spec: Any) -> Objects:
    allowed = {"allowedUses": ["Workload", "Tunnel"], "assignmentMode": "Automatic", "nodeSelector": "all()"}
    return named(name, {"cidr": cidr, "blockSize": 30, **allowed, **spec})


def block(cidr: str, on: str, used: int, size: int = 4) -> Objects:
    affinity = {"affinity": f"host:{on}"} if on else {}
    allocations = [0] * used + [None] * (size - used)
    free = list(range(used, size))
    name = cidr.replace(".", "-").replace("/", "-")
    return named(name, {"cidr": cidr, **affinity, "allocations": allocations, "unallocated": free, "deleted": False})


def calico(
    pools: list[Objects], blocks: list[Objects], *, namespaces: tuple[Objects, ...] = (), **config: Any
) -> dict[str, Said]:
    configs = [named("default", {"strictAffinity": False, "maxBlocksPerHost": 0, "autoAllocateBlocks": True} | config)]
    return {
        f"{CALICO}ippools": listed(*pools),
        f"{CALICO}ipamblocks": listed(*blocks),
        f"{CALICO}ipamconfigs": listed(*(configs if config else [])),
        NAMESPACES: in_json(listed(*(namespaces or (named("shop", {}),)))),
    }


FULL = [block("10.0.0.0/30", "one", 4), block("10.0.0.4/30", "one", 4)]
NEARLY = [block("10.0.0.0/30", "one", 4), block("10.0.0.4/30", "two", 3)]
ONE_LEFT = [block("10.0.0.0/29", "one", 8, 8), block("10.0.0.8/29", "two", 7, 8)]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (calico([pool("small")], FULL), {"IPPool/small": "8 of 8 addresses of 10.0.0.0/29 are in use"}),
        (calico([pool("small")], NEARLY), {}),
        (calico([pool("a", "10.0.0.0/28")], ONE_LEFT), {"IPPool/a": "15 of 16 addresses of 10.0.0.0/28 are in use"}),
        (calico([pool("small")], [block("10.0.0.0/30", "one", 4)]), {}),
        (calico([pool("small"), pool("large", "10.1.0.0/16")], FULL), {}),
        (
            calico(
                [pool("small", nodeSelector="rack in {'a'}"), pool("large", "10.1.0.0/16", nodeSelector="!has(rack)")],
                FULL,
            ),
            {"IPPool/small": "8 of 8 addresses of 10.0.0.0/29 are in use (pods on node two)"},
        ),
        (
            calico(
                [pool("small")], [block("10.0.0.0/30", "one", 4), block("10.0.0.4/30", "three", 1)], strictAffinity=True
            ),
            {
                "Node/one": "4 of 4 addresses of the blocks of IPPool small that the node has or can get, with strict "
                "affinity are in use",
                "Node/two": "0 of 0 addresses of the blocks of IPPool small that the node has or can get, with strict "
                "affinity are in use",
            },
        ),
        (calico([pool("small")], [block("10.0.0.0/30", "one", 4)], strictAffinity=True), {}),
        (
            calico([pool("large", "10.0.0.0/16")], FULL, maxBlocksPerHost=2),
            {
                "Node/one": "8 of 8 addresses of the node's blocks of IPPool large, and it may have no more than 2 "
                "blocks are in use"
            },
        ),
        (calico([pool("large", "10.0.0.0/16")], FULL, maxBlocksPerHost=3), {}),
    ],
    ids=[
        "full",
        "one left of eight",
        "one left of sixteen",
        "a block that nobody has",
        "another pool has room",
        "full for one rack",
        "full blocks of a node, strict affinity",
        "a block is left, strict affinity",
        "as many blocks as a node may have",
        "one block more is allowed",
    ],
)
def test_calico(answers: Answers, expected: dict[str, str]) -> None:
    cluster = cluster_for(answers)
    cluster.nodes[1].metadata.labels["rack"] = "a"
    findings, unseen = judged(headroom, cluster)
    assert (says(findings), unseen) == (expected, None)


def test_a_namespace_with_pools_of_its_own_is_judged_apart() -> None:
    own = named("dmz", {}, annotations={"cni.projectcalico.org/ipv4pools": '["small"]'})
    odd = named("odd", {}, annotations={"cni.projectcalico.org/ipv4pools": "small"})
    pools = [pool("small"), pool("large", "10.1.0.0/16")]
    answers = calico(pools, FULL, namespaces=(named("shop", {}), own, odd))
    (finding,), unseen = judged(headroom, cluster_for(answers))
    assert finding.says.endswith("8 of 8 addresses of 10.0.0.0/29 are in use (pods of namespace dmz)")
    assert unseen is None


@pytest.mark.parametrize(
    "spec", [{"disabled": True}, {"allowedUses": ["Tunnel"]}, {"nodeSelector": "!all()"}, {"assignmentMode": "Manual"}]
)
def test_a_pool_that_gives_no_addresses_is_not_judged(spec: Objects) -> None:
    answers = calico([pool("small", **spec)], FULL) | {"/api/v1/pods": in_json(listed(named("web-0", {})))}
    with pytest.raises(NotApplicable):
        list(headroom(cluster_for(answers)))


@pytest.mark.parametrize("annotation", ['["small"]', '["10.0.0.0/29"]'])
def test_a_pool_that_only_some_pods_ask_for_is_judged_for_them(annotation: str) -> None:
    asking = named("web-0", {}, namespace="shop", annotations={"cni.projectcalico.org/ipv4pools": annotation})
    answers = calico([pool("small", nodeSelector="!all()")], FULL) | {"/api/v1/pods": in_json(listed(asking))}
    (finding,) = headroom(cluster_for(answers))
    assert finding.says.endswith("8 of 8 addresses of 10.0.0.0/29 are in use (pods that ask for this pool)")


def test_a_pool_for_some_namespaces_is_judged_apart() -> None:
    pools = [
        pool("small", namespaceSelector="zone == 'dmz'"),
        pool("large", "10.1.0.0/16", namespaceSelector="!has(zone)"),
    ]
    namespaces = (named("shop", {}), named("dmz", {}, labels={"zone": "dmz"}))
    (finding,), _ = judged(headroom, cluster_for(calico(pools, FULL, namespaces=namespaces)))
    assert "(pods of namespace dmz)" in finding.says


def test_a_full_pool_says_which_nodes_have_its_blocks_and_is_the_root_of_pods_without_an_address() -> None:
    pods = [stuck("web-1"), stuck("api-1", "two")]
    words = "Assigned 0 out of 1 requested IPv4 addresses; No IPs available in pools: [10.0.0.0/29]"
    cluster = cluster_for(calico([pool("small")], FULL), pods=pods, all_events=[event(each, words) for each in pods])
    (finding,) = headroom(cluster)
    assert (
        "IPPool small: 10.0.0.0/29, blockSize 30: 8 of 8 addresses in use; in blocks of one 8 of 8" in finding.evidence
    )
    cases = [Case("ip-allocation", "headroom", finding)]
    cases += [Case("ip-allocation", "pool-exhausted", each) for each in pool_exhausted(cluster)]
    assert {str(root.finding.obj) for root in roots_of(cases, EXPLAINS).values()} == {"IPPool/small"}


@pytest.mark.parametrize("path", ["ippools", "ipamblocks", "ipamconfigs"])
def test_what_may_not_be_listed_is_not_observed(path: str) -> None:
    refused = {f"{CALICO}{path}": Answer(403, status_json("no"))}
    findings, unseen = judged(headroom, cluster_for(calico([pool("small")], FULL) | refused))
    assert not findings
    assert unseen is not None
    assert unseen.right == f"list {path}.crd.projectcalico.org"


def test_a_selector_that_cannot_be_read_is_not_observed() -> None:
    _, unseen = judged(headroom, cluster_for(calico([pool("small", nodeSelector="rack === 'a'")], FULL)))
    assert "the selector rack === 'a' of IPPool small cannot be read" in str(unseen)


def test_a_cluster_without_the_kinds_is_not_asked_for_them() -> None:
    source = FakeSource()
    with pytest.raises(NotApplicable):
        list(headroom(Cluster(source)))
    assert not [request.path for request in source.requests if "calico" in request.path or "cilium" in request.path]


def test_blocks_are_requested_in_small_pages() -> None:
    cluster = cluster_for(calico([pool("small")], FULL))
    source = cluster._source
    assert isinstance(source, FakeSource)
    list(headroom(cluster))
    asked = {request.path for request in source.requests if "ipamblocks" in request.path}
    assert asked == {f"{CALICO}ipamblocks?limit=100"}


LABELS = {"rack": "a", "example.com/zone": "eu-west"}


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("", True),
        ("all()", True),
        ("!all()", False),
        ("global()", False),
        ("has( rack )", True),
        ("!has(gpu)", True),
        ("!!has(gpu)", False),
        ('rack == "a"', True),
        ("rack != 'a'", False),
        ("gpu != 'a'", True),
        ("rack in {'a', 'b'}", True),
        ("rack in {}", False),
        ("rack not in { 'a' }", False),
        ("gpu not in {'a'}", True),
        ("gpu in {'a'}", False),
        ("example.com/zone starts with 'eu' && example.com/zone ends with 'west'", True),
        ("example.com/zone contains 'us'", False),
        ("gpu contains ''", False),
        ("has(gpu) || rack == 'b' || all()", True),
        ("has(gpu) && has(rack) || has(rack)", True),
        ("has(gpu) && (has(rack) || has(rack))", False),
        ("!(rack == 'a')", False),
    ],
)
def test_selectors_of_calico(selector: str, matches: bool) -> None:
    assert parsed(selector)(LABELS) is matches


@pytest.mark.parametrize(
    "selector",
    [
        *("rack", "rack ==", "rack == a", "== 'a'", "(all()", "all())", "rack in {'a'", "rack = 'a'", "!", "'a'"),
        *("(" * 500, "rack == 'a' || " * 60, f"rack == '{'a' * 5000}'", "rack has 'a'", "rack == 'a"),
    ],
)
def test_what_is_no_selector_of_calico(selector: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parsed(selector)
