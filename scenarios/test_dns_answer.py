"""A name that the Corefile answers wrongly, and pods whose own name server does not answer."""

from scenarios.faults import untouched
from scenarios.faults_network import corefile
from scenarios.harness import Seen, scenario
from scenarios.moments import created, within
from scenarios.objects import pod, service

KUBERNETES = "kubernetes cluster.local"
TEMPLATE = "template ANY ANY payments.name-answered-wrongly.svc.cluster.local {\n       rcode NXDOMAIN\n    }"


@scenario(
    service("payments"),
    on_demand=True,
    fault=corefile(KUBERNETES, f"{TEMPLATE}\n    {KUBERNETES}"),
    probe=True,
    later=within(60, created("Service/payments")),
    finds=["dns-answer[wrong-answer] Service/payments"],
)
def test_name_answered_wrongly(seen: Seen) -> None:
    """Every other name is resolved."""
    assert seen.says("its name is not resolved (NXDOMAIN)")
    assert seen.says("template ANY ANY payments")


@scenario(
    pod("by-itself", dnsPolicy="None", dnsConfig={"nameservers": ["192.0.2.53"]}),
    on_demand=True,
    fault=untouched,
    probe=True,
    finds=["dns-answer[own-name-server] Pod/by-itself"],
)
def test_own_name_server_dead(seen: Seen) -> None:
    """Nothing answers at the only name server that the pod lists."""
    assert seen.says("its dnsConfig lists name server 192.0.2.53, which does not answer")
