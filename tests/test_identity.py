"""What makes a finding the same in the next run."""

import pytest

from kubevitals.diagnosis.identity import DIGEST, identity
from kubevitals.findings.finding import Finding
from kubevitals.objects import Ref
from tests.findings import finding

WEB = Ref("Deployment", "shop", "web")
AGENT = Ref("DaemonSet", "ops", "agent")
DB = Ref("StatefulSet", "shop", "db")
NIGHTLY = Ref("Job", "shop", "nightly-29384720")


def ephemeral(pod: str, volume: str) -> Finding:
    """Return a finding on the claim of a pod's ephemeral volume."""
    name = f"PersistentVolumeClaim/shop/{pod}-{volume}"
    return finding(name, owner=WEB, concerns=(Ref("Pod", "shop", pod),))


SAME = {
    "another replica": (finding("Pod/shop/web-6b7-x2x", owner=WEB), finding("Pod/shop/web-88c-abc", owner=WEB)),
    "another replica, its name cut off": (finding("Pod/shop/we6b7-x2x", owner=WEB), finding("Pod/shop/web", owner=WEB)),
    "other figures": (finding("Node/a", says="91 % used"), finding("Node/a", says="97 % used", since=5)),
    "a new pod on the same node": (
        finding("Pod/ops/agent-x2x", owner=AGENT, node="a"),
        finding("Pod/ops/agent-abc", owner=AGENT, node="a"),
    ),
    "the next run of a CronJob": (
        finding("Pod/shop/nightly-29384720-x2x", owner=NIGHTLY),
        finding("Pod/shop/nightly-29386160-abc", owner=NIGHTLY._replace(name="nightly-29386160")),
    ),
    "an ephemeral volume of another replica": (ephemeral("web-6b7-x2x", "data"), ephemeral("web-88c-abc", "data")),
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
    "two claims of a Deployment": (
        finding("PersistentVolumeClaim/shop/web-data", owner=WEB, concerns=(Ref("Pod", "shop", "web-6b7-x2x"),)),
        finding("PersistentVolumeClaim/shop/web-logs", owner=WEB, concerns=(Ref("Pod", "shop", "web-6b7-x2x"),)),
    ),
    "two ephemeral volumes of a pod": (ephemeral("web-6b7-x2x", "data"), ephemeral("web-6b7-x2x", "logs")),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_what_is_generated_anew_makes_no_difference(one: Finding, other: Finding) -> None:
    assert identity("a[b]", one) == identity("a[b]", other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT)
def test_what_is_another_fault_has_another_identity(one: Finding, other: Finding) -> None:
    assert identity("a[b]", one) != identity("a[b]", other)


def test_each_check_has_its_own() -> None:
    assert identity("a[b]", finding("Node/a")) != identity("a[c]", finding("Node/a"))


def test_it_is_long_enough_that_nobody_makes_one_that_passes_for_another() -> None:
    assert len(identity("a[x]", finding("Pod/shop/web"))) == 2 * DIGEST >= 20
