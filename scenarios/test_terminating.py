"""Pods and namespaces that are being deleted: some do not go, others have time left."""

from scenarios.harness import Seen, scenario
from scenarios.moments import deleted, within
from scenarios.objects import config_map, pod

LATER = 3600
"""Seconds after which all of this should be gone."""


def held(obj: dict[str, object], finalizer: str = "example.com/hold") -> dict[str, object]:
    """The object with a finalizer that no controller removes."""
    metadata = obj["metadata"]
    assert isinstance(metadata, dict)
    return obj | {"metadata": metadata | {"finalizers": [finalizer]}}


@scenario(held(pod("app")), then=["delete pod app --wait=false"], later=within(60, deleted("Pod/app")))
def test_pod_has_just_been_deleted(seen: Seen) -> None:
    """Its finalizer may still be removed."""
    assert seen.get("Pod/app").metadata.HasField("deletionTimestamp")


@scenario(on=test_pod_has_just_been_deleted, later=LATER, finds=["terminating[pod] Pod/app (warning)"])
def test_pod_is_held_by_a_finalizer(seen: Seen) -> None:
    """An hour later it is still there, though its containers have ended."""
    assert seen.says("its containers have ended, but its finalizer example.com/hold is not removed")


@scenario(
    pod("app", "trap '' TERM; while :; do sleep 1; done", terminationGracePeriodSeconds=7200),
    then=["wait --for=condition=Ready pod/app --timeout=10s", "delete pod app --wait=false"],
    later=LATER,
)
def test_pod_has_a_long_grace_period(seen: Seen) -> None:
    """It may take two hours to end."""
    assert seen.get("Pod/app").metadata.deletionGracePeriodSeconds == 7200


@scenario(
    held(config_map("app")),
    then=["delete namespace namespace-has-just-been-deleted --wait=false"],
    later=within(60, deleted("Namespace/namespace-has-just-been-deleted")),
)
def test_namespace_has_just_been_deleted(seen: Seen) -> None:
    """Its deletion takes minutes."""
    assert seen.get(f"Namespace/{seen.scenario.name}").status.phase == "Terminating"


@scenario(
    on=test_namespace_has_just_been_deleted,
    later=LATER,
    finds=["terminating[namespace] Namespace/namespace-has-just-been-deleted (warning)"],
)
def test_namespace_is_held_by_a_finalizer(seen: Seen) -> None:
    """A ConfigMap in it has a finalizer that no controller removes."""
    assert seen.says("finalizers are not removed on 1 configmaps: example.com/hold (1×)")
    assert seen.says(f"kubectl -n {seen.scenario.name} get configmaps")
