"""Limits of a node's kernel, as far as they can be reached without harm to the machine under the cluster."""

from scenarios.harness import Seen, scenario
from scenarios.objects import pod


@scenario(
    pod("app", "echo 'failed to create fsnotify watcher: too many open files'; exit 1"),
    finds=["node-limits[inotify] Pod/app"],
)
def test_no_inotify_instances_are_left(seen: Seen) -> None:
    """The application says so: busybox has no program that watches files."""
    assert seen.says("its user has no inotify instances left on the node")
    assert seen.says("raise fs.inotify.max_user_instances on the node")


@scenario(pod("app", "echo 'open /data/x: too many open files'; exit 1"), finds=["startup-error[app-exit] Pod/app"])
def test_container_has_too_many_files_open(seen: Seen) -> None:
    """The limit of its own process is reached, and none of the node."""
    assert not seen.says("fs.inotify.max_user_instances on the node, or find")
