"""What makes a finding the same in the next run."""

import pytest

from kubevitals.identity import identity
from kubevitals.objects import Ref
from tests.findings import finding

WEB = Ref("Deployment", "shop", "web")
AGENT = Ref("DaemonSet", "ops", "agent")
DB = Ref("StatefulSet", "shop", "db")
NIGHTLY = Ref("Job", "shop", "nightly-29384720")

SAME = {
    "another replica": (finding("Pod/shop/web-6b7-x2x", owner=WEB), finding("Pod/shop/web-88c-abc", owner=WEB)),
    "other figures": (finding("Node/a", says="91 % used"), finding("Node/a", says="97 % used", since=5)),
    "a new pod on the same node": (
        finding("Pod/ops/agent-x2x", owner=AGENT, node="a"),
        finding("Pod/ops/agent-abc", owner=AGENT, node="a"),
    ),
    "the next run of a CronJob": (
        finding("Pod/shop/nightly-29384720-x2x", owner=NIGHTLY),
        finding("Pod/shop/nightly-29386160-abc", owner=NIGHTLY._replace(name="nightly-29386160")),
    ),
    "the same pod of a StatefulSet": (finding("Pod/shop/db-0", owner=DB), finding("Pod/shop/db-0", owner=DB)),
}
DIFFERENT = {
    "another object": (finding("Node/a"), finding("Node/b")),
    "another kind": (finding("Deployment/shop/web"), finding("StatefulSet/shop/web")),
    "another namespace": (finding("Pod/shop/web"), finding("Pod/bank/web")),
    "another part": (finding("Pod/shop/web", part="app"), finding("Pod/shop/web", part="proxy")),
    "another pod of a StatefulSet": (finding("Pod/shop/db-0", owner=DB), finding("Pod/shop/db-1", owner=DB)),
    "a DaemonSet's pod on another node": (
        finding("Pod/ops/agent-x2x", owner=AGENT, node="a"),
        finding("Pod/ops/agent-x2x", owner=AGENT, node="b"),
    ),
    "a claim and its Deployment": (
        finding("PersistentVolumeClaim/shop/data", owner=WEB),
        finding("PersistentVolumeClaim/shop/cache", owner=WEB),
    ),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_what_is_generated_anew_makes_no_difference(one: object, other: object) -> None:
    assert identity("a[b]", one) == identity("a[b]", other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT)
def test_what_is_another_fault_has_another_identity(one: object, other: object) -> None:
    assert identity("a[b]", one) != identity("a[b]", other)


def test_each_check_has_its_own() -> None:
    assert identity("a[b]", finding("Node/a")) != identity("a[c]", finding("Node/a"))
