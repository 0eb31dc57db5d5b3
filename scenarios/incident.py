"""An incident in a shop, as `--snapshot demo` shows it: a node whose Services do not answer, and four other faults."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scenarios.faults_network import rules_flushed
from scenarios.objects import (
    HOSTNAME,
    Object,
    claim,
    claiming,
    config_map,
    deployment,
    limit,
    mounting,
    service,
    stateful_set,
)

if TYPE_CHECKING:
    from scenarios.live import LiveCluster

SHOP, ORDERS = "shop", "orders"
PORT = 8080
READY = {"httpGet": {"path": "/", "port": PORT}, "periodSeconds": 5}
SERVE = f"mkdir /www; echo ok > /www/index.html; httpd -p {PORT} -h /www"
RUN = f"{SERVE}; sleep 1d"
CALL_CART = f"{SERVE}; while wget -q -O /dev/null http://cart:{PORT}; do sleep 5; done; exit 1"
"""Serves, and exits when the cart does not answer, as many applications do."""

LOAD_MODEL = "echo loading the model; sleep 5; tail /dev/zero; killed=$?; sleep 10; exit $killed"
"""Uses more and more memory, and ends after the container runtime has noticed."""

EVERY_WORKER = {
    "maxSkew": 1,
    "topologyKey": HOSTNAME,
    "whenUnsatisfiable": "DoNotSchedule",
    "nodeTaintsPolicy": "Honor",
}


def _spread(name: str, replicas: int, sh: str) -> list[Object]:
    """A Deployment with as many pods on each worker, and its Service."""
    spread: dict[str, Any] = {
        "topologySpreadConstraints": [EVERY_WORKER | {"labelSelector": {"matchLabels": {"app": name}}}]
    }
    return [deployment(name, replicas, sh=sh, readinessProbe=READY, **spread), service(name, PORT)]


def _fine() -> Iterator[Object]:
    for name in ("cart", "catalog", "search", "shipping"):
        yield from _spread(name, 2, RUN)


def _callers() -> Iterator[Object]:
    yield from _spread("frontend", 4, CALL_CART)
    yield from _spread("checkout", 2, CALL_CART)


def _broken() -> Iterator[Object]:
    yield config_map("email-config", sender="shop@example.com")
    yield deployment("email", volumes=mounting(configMap={"name": "email-confg"}))
    yield deployment("recommendation", sh=LOAD_MODEL, resources=limit(memory="32Mi"))


def _without_volume() -> Iterator[Object]:
    yield stateful_set("db", volumes=claiming())
    yield claim(storage_class="fast-ssd")
    yield service("db", PORT)
    yield deployment("orders", 2, sh=f"sleep 5; wget -T 5 -O- http://db:{PORT} || exit 1", room="a")


@contextmanager
def shop_in_trouble(cluster: "LiveCluster") -> Iterator[None]:
    """Run a shop; roll out an image that does not exist, and let kube-proxy of worker2 lose its rules."""
    try:
        for objects in (_fine(), _callers()):
            cluster.apply(objects, SHOP)
            cluster.kubectl(f"-n {SHOP} rollout status deployment --timeout=600s")
        cluster.apply(_broken(), SHOP)
        cluster.apply(_without_volume(), ORDERS)
        cluster.kubectl(f"-n {SHOP} set image deployment/search app=busybox:1.36-rc7")
        with rules_flushed("worker2")(cluster):
            yield
    finally:
        cluster.kubectl(f"delete namespace {SHOP} {ORDERS} --ignore-not-found --wait=false")
