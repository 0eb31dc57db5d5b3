"""--require-observed: what it demands, and what the options leave out."""

from pathlib import Path

import pytest

from kubevitals.diagnosis.history import read
from kubevitals.diagnosis.result import Item
from kubevitals.errors import EXIT_NOT_OBSERVED
from kubevitals.facts.network.gateways import GATEWAYS, HTTP_ROUTES
from kubevitals.inventory.cluster import Cluster
from kubevitals.source.request import PROBE_HINT
from tests.fake_server import ApiServer, Reply
from tests.fakes import status_json
from tests.runs import Run, crashing

pytest_plugins = ["pytester"]

SUMMARY = "/api/v1/nodes/worker/proxy/stats/summary"
FORBIDDEN = Reply(status_json("forbidden"), 403)


def unseen() -> dict[str, Item]:
    """Return the checks that were not observed in the last run."""
    return {item.check: item for item in read(Path("findings.json")).items if item.outcome == "not observed"}


def test_a_missing_right_is_not_observed_and_fails_only_where_the_user_asks_for_it(
    run: Run, healthy: ApiServer
) -> None:
    healthy.script("/api/v1/pods", Reply(status_json("pods is forbidden"), 403))
    assert run(checks=["node-ready", "startup-error"]).ret == 0
    assert "startup-error[app-exit]" in unseen()
    assert "node-ready[silent]" not in unseen()
    result = run("--require-observed")
    assert result.ret == EXIT_NOT_OBSERVED
    unasked = sum(any(hint in item.unseen for hint in (PROBE_HINT, "reached directly")) for item in unseen().values())
    assert unasked > 5
    assert sum(item.asked for item in unseen().values()) == len(unseen()) - unasked
    result.stdout.fnmatch_lines(
        ["asked for, but not observed (* checks): pods is forbidden (missing right: list pods)"]
    )


def test_what_the_options_leave_out_is_not_required(run: Run, healthy: ApiServer) -> None:
    healthy.script(SUMMARY, FORBIDDEN)
    chosen = ["storage-full"]
    assert run("--require-observed", checks=chosen).ret == EXIT_NOT_OBSERVED
    assert run("--require-observed", "--kubelet=none", checks=chosen).ret == 0
    assert "storage-full[volume]" in unseen()


@pytest.mark.parametrize(("way", "required"), [("proxy", EXIT_NOT_OBSERVED), ("none", 0)])
def test_of_a_replay_no_more_is_required_than_of_the_recorded_run(
    run: Run, healthy: ApiServer, way: str, required: int
) -> None:
    healthy.script(SUMMARY, FORBIDDEN)
    chosen, checks = (
        ("--require-observed", "-k", "test_storage_has_room or entries-lost"),
        ["conntrack", "storage-full"],
    )
    assert run(*chosen, f"--kubelet={way}", "--record=cluster.recording", checks=checks).ret == required
    assert run(*chosen, "--snapshot=cluster.recording", checks=checks).ret == required
    assert {"storage-full[volume]", "conntrack[entries-lost]"} <= unseen().keys()


def test_with_a_namespaces_rights_no_more_is_required_than_they_let_it_see(run: Run, healthy: ApiServer) -> None:
    of_the_cluster = [listing.path for listing in Cluster.listings() if not listing.namespaced]
    for path in of_the_cluster:
        healthy.script(path, FORBIDDEN)
    for listing in (GATEWAYS, HTTP_ROUTES):
        healthy.script(listing.path_in("shop"), Reply(b"404 page not found", 404))
    shop = ("--namespace=shop", "--kubelet=none", "--require-observed")
    assert run(*shop, checks=["node-ready"]).ret == EXIT_NOT_OBSERVED
    assert unseen()["node-ready[silent]"].right == "list nodes"
    healthy.requests.clear()
    assert run(*shop, "--namespaced-only").ret == 0
    assert "--namespaced-only" in unseen()["node-ready[silent]"].unseen
    assert not [path for path in of_the_cluster if healthy.asked(path)]
    healthy.serve("/api/v1/namespaces/shop/pods", crashing("web-0"))
    assert run(*shop, "--namespaced-only", checks=["startup-error"]).ret == 1
    assert [found.places[0].object for found in read(Path("findings.json")).findings] == ["Pod/shop/web-0"]
