"""Limits of a node's kernel, as far as they can be reached without harm to the machine under the cluster."""

from scenarios.harness import Seen, scenario
from scenarios.objects import pod

OPEN_INOTIFY = """
case $(uname -m) in x86_64) call=294;; *) call=26;; esac
loader=$(ls /usr-of-node/lib/$(uname -m)-linux-gnu/ld-linux*.so.* | head -n 1)
exec $loader --library-path /usr-of-node/lib/$(uname -m)-linux-gnu /usr-of-node/bin/perl -e '
    1 until syscall('$call', 0) < 0;
    die "inotify_init1: $!\n"'
"""
"""Open inotify instances until the kernel refuses one. busybox cannot, but Perl of kind's node image can."""


@scenario(
    pod(
        "app",
        OPEN_INOTIFY,
        volumes=[{"name": "usr-of-node", "hostPath": {"path": "/usr"}}],
        securityContext={"runAsUser": 54321},
    ),
    finds=["node-limits[inotify] Pod/app"],
)
def test_no_inotify_instances_are_left(seen: Seen) -> None:
    """Each user has a limit of its own, and no other pod runs as this one."""
    assert seen.says("its user has no inotify instances left on the node")
    assert seen.says("raise fs.inotify.max_user_instances on the node")


@scenario(pod("app", "echo 'open /data/x: too many open files'; exit 1"), finds=["startup-error[app-exit] Pod/app"])
def test_container_has_too_many_files_open(seen: Seen) -> None:
    """The limit of its own process is reached, and none of the node."""
    assert not seen.says("fs.inotify.max_user_instances on the node, or find")
