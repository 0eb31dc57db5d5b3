"""A small shop with ten everyday faults, each in a namespace of its own, so that any of them can be left out."""

from scenarios.harness import Seen, scenario
from scenarios.objects import Object, claim, claiming, container, deployment, job, quota, service, stateful_set

PORT = 8080
SERVE = f"mkdir /www; echo ok > /www/index.html; exec httpd -f -p {PORT} -h /www"


def ready_at(port: int) -> Object:
    return {"httpGet": {"path": "/", "port": port}, "periodSeconds": 5}


def until(service: str) -> Object:
    """An init container that waits for a Service, as Kubernetes' documentation shows it."""
    return container(f"until nslookup {service}; do echo waiting for {service}; sleep 2; done", "wait")


@scenario(quota(pods="1"), deployment("catalog", 2), finds=["pod-creation[quota] Deployment/catalog"])
def test_shop_catalog(seen: Seen) -> None:
    """The quota of the namespace allows one pod."""
    assert seen.says("quota")


@scenario(deployment("search", resources={"requests": {"cpu": "64"}}), finds=["scheduling[unschedulable] Pod/search-*"])
def test_shop_search(seen: Seen) -> None:
    """It requests more CPU than any node has."""
    assert seen.says("it requests 64 CPU")


@scenario(deployment("cart", 2, sh=SERVE, readinessProbe=ready_at(9090)), finds=["readiness[never-ready] Pod/cart-*"])
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


@scenario(
    deployment("checkout", initContainers=[until("stock")]),
    finds=["startup-error[init-waits] Pod/checkout-*"],
)
def test_shop_checkout(seen: Seen) -> None:
    """Its init container waits for a Service that does not exist."""
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


@scenario(job("report", "echo no such table; exit 3"), finds=["jobs[failed] Job/report"])
def test_shop_report(seen: Seen) -> None:
    """Its only attempt has failed."""
    assert seen.says("report")
