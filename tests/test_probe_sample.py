"""Which Services and name servers the probe tries."""

from kubevitals import schema_pb2 as pb
from kubevitals.probe.plan import Options, ProbePod, ProbeService, plan, targets
from kubevitals.probe.sample import (
    NAME_SERVERS,
    NAMES,
    SERVICES,
    SETTLED,
    ServiceTarget,
    own_name_servers,
    service_names,
    service_targets,
)

NOW = 1_000_000


def service(
    name: str,
    age: int,
    namespace: str = "shop",
    ip: str = "10.96.1.1",
    internalTrafficPolicy: str = "",  # noqa: N803
) -> pb.Service:
    metadata = pb.ObjectMeta(name=name, namespace=namespace, creationTimestamp=pb.Time(seconds=NOW - age))
    made = pb.ServiceSpec(
        clusterIP=ip,
        ports=[pb.ServicePort(name="http", port=80, protocol="TCP")],
        internalTrafficPolicy=internalTrafficPolicy,
    )
    return pb.Service(metadata=metadata, spec=made)


def behind(*pods: str, port: str = "http", ready: bool = True, family: str = "IPv4") -> list[pb.EndpointSlice]:
    made = [
        pb.Endpoint(
            addresses=[f"10.244.0.{n}"],
            conditions=pb.EndpointConditions(ready=ready),
            targetRef=pb.ObjectReference(namespace="shop", name=name),
        )
        for n, name in enumerate(pods, 1)
    ]
    return [pb.EndpointSlice(addressType=family, endpoints=made, ports=[pb.EndpointPort(name=port, port=8080)])]


def pod(name: str, since: int = 9999, ready: str = "True", namespace: str = "shop") -> pb.Pod:
    condition = pb.PodCondition(type="Ready", status=ready, lastTransitionTime=pb.Time(seconds=NOW - since))
    return pb.Pod(
        metadata=pb.ObjectMeta(name=name, namespace=namespace),
        status=pb.PodStatus(phase="Running", conditions=[condition]),
    )


def test_the_youngest_names_are_looked_up_but_none_that_is_not_settled() -> None:
    services = [service(f"s{age}", age) for age in range(SETTLED - 5, SETTLED + 95)]
    names = service_names(services, [], NOW)
    assert names == tuple(f"s{SETTLED + n}.shop" for n in range(1, NAMES + 1))


def test_names_beside_ailing_pods_come_first_and_namespaces_take_turns() -> None:
    services = [service(f"s{n}", 100 + n, "crowd") for n in range(50)]
    services += [service("old", 9000, "ill"), service("older", 9001, "ill"), service("quiet", 8000, "well")]
    names = service_names(services, [pod("x", ready="False", namespace="ill")], NOW)
    assert names[:2] == ("old.ill", "older.ill")
    assert "quiet.well" in names
    assert len(names) == NAMES


def test_services_that_ailing_pods_name_come_first_of_all() -> None:
    services = [service(f"s{n}", 100 + n, "ill") for n in range(9)] + [service("db", 9000, "data"), service("x", 9999)]
    ailing, fine = pod("web", ready="False", namespace="ill"), pod("fine", namespace="shop")
    for one, host in ((ailing, "db.data.svc"), (fine, "x.shop.svc")):
        one.spec.containers.add(name="app", args=["--cluster-cidr=10.0.0.0/8", host])
    names = service_names(services, [ailing, fine], NOW)
    assert names[:2] == ("db.data", "s0.ill")
    assert "s4.ill" not in names[:4]
    assert service_names(services, [fine], NOW)[0] != "x.shop"


def test_services_without_an_address_have_no_name_to_compare() -> None:
    assert service_names([service("headless", 100, ip="None"), service("external", 100, ip="")], [], NOW) == ()


def test_the_youngest_services_and_those_with_the_latest_endpoints_are_tried() -> None:
    services = [service(f"s{n}", 1000 + n, ip=f"10.96.1.{n}") for n in range(20)]
    slices = {("shop", f"s{n}"): behind(f"pod-{n}") for n in range(20)}
    pods = [pod(f"pod-{n}", since=100 if n == 19 else 5000) for n in range(20)]
    tried = service_targets(services, slices, pods, NOW)
    assert tried[:3] == tuple(ServiceTarget(f"10.96.1.{n}", 80, "10.244.0.1", 8080) for n in range(3))
    assert "10.96.1.19" in {target.cluster_ip for target in tried}
    assert len(tried) == SERVICES


def test_services_that_nobody_has_to_reach_are_not_tried() -> None:
    usual = {("shop", "s"): behind("pod")}
    assert len(service_targets([service("s", 100)], usual, [pod("pod")], NOW)) == 1
    assert service_targets([service("s", 100)], usual, [pod("pod", since=SETTLED)], NOW) == ()
    assert service_targets([service("s", SETTLED)], usual, [pod("pod")], NOW) == ()
    assert service_targets([service("s", 100, internalTrafficPolicy="Local")], usual, [pod("pod")], NOW) == ()
    for slices in (behind(), behind("pod", ready=False), behind("pod", port="other"), behind("pod", family="IPv6")):
        assert service_targets([service("s", 100)], {("shop", "s"): slices}, [pod("pod")], NOW) == ()


def test_each_name_server_of_pods_is_asked_once_on_a_node_where_such_a_pod_runs() -> None:
    pods = [pod(f"p{n}") for n in range(20)]
    for n, made in enumerate(pods):
        made.spec.nodeName = "one" if n else "gone"
        made.spec.dnsConfig.nameservers.extend(["10.96.0.10", f"192.0.2.{n % 10}"])
    found = own_name_servers(pods, ["10.96.0.10"], ["one"])
    assert {node for node, _ in found} == {"one"}
    assert len(found) == len({server for _, server in found}) == NAME_SERVERS


def test_what_is_sampled_is_asked_from_the_pod_network_alone() -> None:
    made = plan(
        Options(), [], [service("s", 100), dns()], [labelled(part) for part in behind("pod")], [pod("pod")], NOW
    )._replace(name_servers=(("one", "192.0.2.53"), ("two", "192.0.2.54")))
    where = [ProbePod(f"{network}-x", "one", network, ("10.1.0.1",)) for network in ("pod", "host")]
    lines = targets(made, ProbeService((), 0), where)
    assert "lookup s.shop.svc.cluster.local sample service 10.96.0.10 - 2\n" in lines["pod-x"]
    assert "reach open-service 10.96.1.1 80 - 3\n" in lines["pod-x"]
    assert "reach open-endpoint 10.244.0.1 8080 - 2\n" in lines["pod-x"]
    assert "lookup kubernetes.default.svc.cluster.local inside own 192.0.2.53 - 3\n" in lines["pod-x"]
    assert "192.0.2.54" not in lines["pod-x"]
    assert not {"sample", "own", "open-service"} & set(lines["host-x"].split())


def dns() -> pb.Service:
    return service("kube-dns", 9999, "kube-system", "10.96.0.10")


def labelled(part: pb.EndpointSlice) -> pb.EndpointSlice:
    part.metadata.namespace = "shop"
    part.metadata.labels["kubernetes.io/service-name"] = "s"
    return part
