import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.facts.nodes.placement import belongs_on, matches


def node(*taints: pb.Taint, **labels: str) -> pb.Node:
    return pb.Node(metadata=pb.ObjectMeta(name="worker-1", labels=labels), spec=pb.NodeSpec(taints=taints))


def requires(*terms: pb.NodeSelectorTerm) -> pb.NodeSelector:
    return pb.NodeSelector(nodeSelectorTerms=terms)


def term(key: str, operator: str, *values: str, field: bool = False) -> pb.NodeSelectorTerm:
    requirement = pb.NodeSelectorRequirement(key=key, operator=operator, values=values)
    return pb.NodeSelectorTerm(**{"matchFields" if field else "matchExpressions": [requirement]})


@pytest.mark.parametrize(
    ("operator", "values", "with_ssd", "without"),
    [
        ("In", ["ssd", "nvme"], True, False),
        ("NotIn", ["ssd"], False, True),
        ("Exists", [], True, False),
        ("DoesNotExist", [], False, True),
        ("Like", ["ssd"], False, False),
    ],
)
def test_a_requirement_compares_a_label(operator: str, values: list[str], with_ssd: bool, without: bool) -> None:
    selector = requires(term("disk", operator, *values))
    assert matches(selector, node(disk="ssd")) is with_ssd
    assert matches(selector, node()) is without


@pytest.mark.parametrize(("operator", "limit", "expected"), [("Gt", "7", True), ("Gt", "8", False), ("Lt", "9", True)])
def test_a_label_that_is_a_number_can_be_compared(operator: str, limit: str, expected: bool) -> None:
    assert matches(requires(term("cores", operator, limit)), node(cores="8")) is expected
    assert not matches(requires(term("cores", operator, limit)), node(cores="many"))
    assert not matches(requires(term("cores", operator, "many")), node(cores="8"))
    assert not matches(requires(term("cores", operator, limit)), node())
    assert not matches(requires(term("cores", operator, "9" * 5000)), node(cores="8"))
    assert not matches(requires(term("cores", operator, limit)), node(cores="9" * 5000))


def test_one_term_is_enough_and_all_of_it_must_hold() -> None:
    ssd, zone_a = term("disk", "In", "ssd"), term("zone", "In", "a")
    both = pb.NodeSelectorTerm(matchExpressions=[*ssd.matchExpressions, *zone_a.matchExpressions])
    assert matches(requires(ssd, zone_a), node(zone="a"))
    assert not matches(requires(both), node(zone="a"))
    assert not matches(requires(pb.NodeSelectorTerm()), node())
    assert matches(requires(), node())


def test_a_term_can_name_the_node() -> None:
    assert matches(requires(term("metadata.name", "In", "worker-1", field=True)), node())
    assert not matches(requires(term("metadata.name", "In", "worker-2", field=True)), node())


def test_the_node_selector_must_hold() -> None:
    spec = pb.PodSpec(nodeSelector={"disk": "ssd"})
    assert belongs_on(spec, node(disk="ssd"))
    assert not belongs_on(spec, node())


GPU = pb.Taint(key="gpu", value="yes", effect="NoSchedule")


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        (pb.Toleration(key="gpu", operator="Exists"), True),
        (pb.Toleration(key="gpu", value="yes"), True),
        (pb.Toleration(key="gpu", operator="Equal", value="yes", effect="NoSchedule"), True),
        (pb.Toleration(operator="Exists"), True),
        (pb.Toleration(key="gpu", value="no"), False),
        (pb.Toleration(key="gpu", operator="Exists", effect="NoExecute"), False),
        (pb.Toleration(key="arm", operator="Exists"), False),
        (pb.Toleration(), False),
    ],
)
def test_a_taint_keeps_pods_away_that_do_not_tolerate_it(toleration: pb.Toleration, tolerated: bool) -> None:
    assert belongs_on(pb.PodSpec(tolerations=[toleration]), node(GPU)) is tolerated


@pytest.mark.parametrize(
    ("taint", "host_network", "expected"),
    [
        ("not-ready", False, True),
        ("unreachable", False, True),
        ("disk-pressure", False, True),
        ("unschedulable", False, True),
        ("network-unavailable", False, False),
        ("network-unavailable", True, True),
        ("out-of-service", True, False),
    ],
)
def test_daemon_pods_tolerate_a_nodes_conditions(taint: str, host_network: bool, expected: bool) -> None:
    tainted = node(pb.Taint(key=f"node.kubernetes.io/{taint}", effect="NoExecute"))
    assert belongs_on(pb.PodSpec(hostNetwork=host_network), tainted) is expected


def test_a_preference_keeps_no_pod_away() -> None:
    assert belongs_on(pb.PodSpec(), node(pb.Taint(key="spot", effect="PreferNoSchedule")))
