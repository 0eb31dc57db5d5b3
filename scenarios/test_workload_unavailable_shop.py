"""A small shop with ten everyday faults, each in a namespace of its own, so that any of them can be left out."""

import random
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from kubevitals.diagnosis.result import Replicas, Report, Root
from kubevitals.diagnosis.verdict import Outcome
from kubevitals.facts.pods.init_waits import waiting_lines
from kubevitals.findings.explains import declared
from kubevitals.inventory.cluster import Cluster
from kubevitals.source.scope import Scope
from scenarios.harness import CHECKS, MANIFESTS, Scenario, Seen, check_modules, scenario, verdicts
from scenarios.judge import Judge
from scenarios.moments import created, within
from scenarios.objects import Object, claim, claiming, container, deployment, job, quota, service, stateful_set
from scenarios.parsed import parsed
from scenarios.test_pod_creation import in_effect
from tests.findings import report_of

PORT = 8080
LATER = 400
"""Seconds after which the shop is judged: an init container may wait for some minutes."""

SERVE = f"mkdir /www; echo ok > /www/index.html; exec httpd -f -p {PORT} -h /www"


def ready_at(port: int) -> Object:
    return {"httpGet": {"path": "/", "port": port}, "periodSeconds": 5}


def until(service: str) -> Object:
    """An init container that waits for a Service, as Kubernetes' documentation shows it."""
    return container(f"until nslookup {service}; do echo waiting for {service}; sleep 2; done", "wait")


@scenario(
    quota(pods="1"),
    deployment("catalog", 0),
    then=[in_effect("pods", "1"), "scale deployment/catalog --replicas=2"],
    finds=["pod-creation[quota] Deployment/catalog"],
)
def test_shop_catalog(seen: Seen) -> None:
    """The quota of the namespace allows one pod."""
    assert seen.says("quota")


@scenario(deployment("search", resources={"requests": {"cpu": "64"}}), finds=["scheduling[unschedulable] Pod/search-*"])
def test_shop_search(seen: Seen) -> None:
    """It requests more CPU than any node has."""
    assert seen.says("it requests 64 CPU")


@scenario(deployment("cart", 2, sh=SERVE, readinessProbe=ready_at(9090)), finds=["readiness[probe-failing] Pod/cart-*"])
def test_shop_cart(seen: Seen) -> None:
    """Its readiness probe asks at another port than the one that it serves."""
    assert seen.says("9090")


@scenario(
    deployment("payment", sh=SERVE),
    service("payment", PORT, app="payments"),
    finds=["service-endpoints[no-match] Service/payment"],
)
def test_shop_payment(seen: Seen) -> None:
    """The selector of its Service is misspelt."""
    assert seen.says("payments")


@scenario(deployment("checkout", initContainers=[until("stock")]), later=within(120, created("Deployment/checkout")))
def test_shop_checkout(seen: Seen) -> None:
    """Its init container waits for a Service, which may still be created."""
    (pod,) = [pod for pod in seen.cluster.pods if pod.metadata.namespace == seen.scenario.name]
    assert waiting_lines(seen.cluster.log(pod, "wait", previous=False))


@scenario(on=test_shop_checkout, later=LATER, finds=["startup-error[init-waits] Pod/checkout-*"])
def test_shop_checkout_waits_for_ever(seen: Seen) -> None:
    """The Service does not exist."""
    assert seen.says("Service stock does not exist in namespace shop-checkout")


@scenario(
    deployment("email", envFrom=[{"configMapRef": {"name": "email-settings"}}]),
    finds=["startup-error[bad-reference] Pod/email-*"],
)
def test_shop_email(seen: Seen) -> None:
    """Its ConfigMap was never created."""
    assert seen.says("email-settings")


@scenario(deployment("frontend", 2, image="busybox:1.36-nope"), finds=["startup-error[image] Pod/frontend-*"])
def test_shop_frontend(seen: Seen) -> None:
    """The tag of its image does not exist."""
    assert seen.says('image "busybox:1.36-nope" cannot be pulled')


@scenario(
    deployment("currency", 2, sh="echo 'KeyError: API_KEY'; exit 1"), finds=["startup-error[app-exit] Pod/currency-*"]
)
def test_shop_currency(seen: Seen) -> None:
    """It exits soon after its start."""
    assert seen.says("keeps crashing")


@scenario(
    stateful_set("db", volumes=claiming()),
    claim(storage_class="fast-ssd"),
    service("db", PORT),
    deployment("orders", 2, sh=f"sleep 5; wget -T 5 -O- http://db:{PORT} || exit 1"),
    finds=[
        "volume-claim[unbound] PersistentVolumeClaim/data",
        "scheduling[unschedulable] Pod/db-*",
        "service-endpoints[none-ready] Service/db",
        "startup-error[app-exit] Pod/orders-*",
    ],
)
def test_shop_orders(seen: Seen) -> None:
    """It exits because its database has no volume: the StorageClass does not exist."""
    assert seen.says('StorageClass "fast-ssd" does not exist')


@scenario(
    job("report", "echo no such table; exit 3"),
    finds=["startup-error[app-exit] Pod/report-*", "jobs[failed] Job/report"],
)
def test_shop_report(seen: Seen) -> None:
    """Its only attempt has failed."""
    assert seen.says("exit code 3")


SHOP = [value.scenario for value in list(globals().values()) if hasattr(value, "scenario") and value.scenario.objects]


@pytest.fixture(scope="module")
def shop(judged: Judge) -> Callable[..., Report]:
    """Return the report of some of the faults: the others' namespaces are left out."""
    judged.skip_if_unrecorded(SHOP)
    if unrecorded := [fault.name for fault in SHOP if not judged.recorded(fault)]:
        pytest.skip(f"not recorded yet: {', '.join(unrecorded)}")

    def report(*faults: Scenario) -> Report:
        snapshot = parsed(judged.folder / f"{MANIFESTS}.recording").after(timedelta(seconds=LATER))
        cluster = Cluster(snapshot, scope=Scope([fault.name for fault in faults], within=snapshot.scope))
        return report_of(*verdicts(cluster), rules=declared(check_modules().values()))

    return report


@pytest.mark.parametrize("fault", SHOP, ids=lambda fault: fault.name)
def test_the_shop_is_broken_with_any_one_fault_left(shop: Callable[..., Report], fault: Scenario) -> None:
    """No fault needs another one to be found."""
    assert shop(fault).outcome is Outcome.BROKEN


def test_the_shop_is_broken_with_any_part_of_its_faults(shop: Callable[..., Report]) -> None:
    """Some parts, chosen by chance."""
    for _ in range(3):
        assert shop(*random.sample(SHOP, random.randint(2, len(SHOP)))).outcome is Outcome.BROKEN


def test_a_run_on_the_shop_fails(judged: Judge, shop: Callable[..., Report], tmp_path: Path) -> None:
    """The exit code is 1, as for any test that fails."""
    path = (judged.folder / f"{MANIFESTS}.recording").absolute()
    options = [f"--snapshot={path}", f"--namespace={SHOP[0].name}", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", str(CHECKS / "test_workload_unavailable.py"), *options]
    run = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True)
    assert run.returncode == 1


def of_the_shop(report: Report) -> list[Root]:
    """Return the roots without those of other scenarios on cluster-scoped objects, which have no namespace."""
    return [root for root in report.roots if "/shop-" in root.objects]


def test_every_fault_of_the_shop_is_one_root(shop: Callable[..., Report]) -> None:
    """What follows from a fault is beneath it, with the replicas that it costs."""
    roots = of_the_shop(shop(*SHOP))
    assert len(roots) == len(SHOP)
    assert {root.objects.split("/")[1] for root in roots if not root.replicas} == {"shop-payment", "shop-report"}


def test_the_chain_leads_from_the_orders_to_the_storage_class(shop: Callable[..., Report]) -> None:
    """Nothing else needs to be repaired. While it runs, an attempt of the orders counts as available."""
    (orders,) = [fault for fault in SHOP if fault.name == "shop-orders"]
    (root,) = of_the_shop(shop(orders))
    assert [link.object for link in root.chains[0]] == [
        "Deployment/shop-orders/orders",
        "Service/shop-orders/db",
        "StatefulSet/shop-orders/db",
        "PersistentVolumeClaim/shop-orders/data",
        "StorageClass/fast-ssd",
    ]
    assert root.replicas in [Replicas(missing, 3) for missing in (1, 2, 3)]
