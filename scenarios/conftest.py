"""Scenarios replay recordings; with --kind they first break a real cluster and record it."""

import os
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from scenarios.harness import HERE, MANIFESTS, Scenario, scenarios
from scenarios.judge import Judge, of_repository


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("scenarios")
    group.addoption(
        "--kind",
        action="store_true",
        help="create a kind cluster, break it, and check the findings; with --record DIR, keep the recordings",
    )
    group.addoption(
        "--manifests",
        action="store_true",
        help="with --kind: leave out the scenarios that break a node or the control plane",
    )
    group.addoption(
        "--addon",
        default="",
        metavar="NAME=COMMAND",
        help="with --kind: create a cluster for this add-on, run COMMAND CLUSTER, and make only the scenarios with it",
    )


def _needs_kind(config: pytest.Config) -> None:
    if not config.pluginmanager.has_plugin("pytest_kind.plugin") and not config.pluginmanager.has_plugin("pytest-kind"):
        raise pytest.UsageError("--kind needs pytest-kind: pip install '.[scenarios]'")
    for program in ("kind", "kubectl", "docker"):
        if not shutil.which(program):
            raise pytest.UsageError(f"--kind needs {program} on the PATH")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--kind"):
        _needs_kind(config)
    addon, command = _addon(config)
    if bool(addon) != bool(command) or (addon and not config.getoption("--kind")):
        raise pytest.UsageError("--addon needs --kind and a command: --kind --addon calico=COMMAND")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --addon, leave only the scenarios of this add-on; with --manifests, those of manifests."""
    addon, _ = _addon(config)
    if addon or config.getoption("--manifests"):
        attribute, wanted = ("addon", addon) if addon else ("recording", MANIFESTS)
        kept = [item for item in items if getattr(_scenario(item), attribute, None) == wanted]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept


def _addon(config: pytest.Config) -> tuple[str, list[str]]:
    """Return the name of the add-on and the command that installs it."""
    name, _, command = config.getoption("addon").partition("=")
    return name, shlex.split(command)


def _scenario(item: pytest.Item) -> Scenario | None:
    return getattr(getattr(item, "obj", None), "scenario", None)


@pytest.fixture(scope="session")
def kind_cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A new cluster of pytest-kind, with an add-on if one is asked for; one that existed before is never used."""
    from pytest_kind import KindCluster

    config = request.config
    chosen = config.getoption("cluster_name")
    name = f"kubevitals-{secrets.token_hex(3)}" if chosen == "pytest-kind" else chosen
    kind, kubectl = (Path(str(shutil.which(program))) for program in ("kind", "kubectl"))
    kubeconfig = tmp_path_factory.mktemp("kind") / "kubeconfig"
    cluster = KindCluster(name, kubeconfig, image=config.getoption("kind_image"), kind_path=kind, kubectl_path=kubectl)
    if name in _clusters(kind):
        pytest.exit(f"a kind cluster {name} already exists: scenarios only break a cluster that they created", 4)
    try:
        addon, command = _addon(config)
        own = HERE / f"kind-{addon}.yaml"
        cluster.create(str(own if own.exists() else HERE / "kind.yaml"))
        if addon:
            subprocess.run([*command, name], env={**os.environ, "KUBECONFIG": str(kubeconfig)}, check=True)
        cluster.kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=600s")
        yield cluster
    finally:
        if not config.getoption("keep_cluster"):
            cluster.delete()


def _clusters(kind: Path) -> list[str]:
    return subprocess.run([kind, "get", "clusters"], capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.fixture(scope="session")
def live(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """With --kind, a cluster that was broken and recorded, and is still broken by the manifests; otherwise None."""
    config = request.config
    if not config.getoption("--kind"):
        return None
    from scenarios.live import LiveCluster

    work = tmp_path_factory.mktemp("recordings")
    folder = config.getoption("record") or work
    kind = request.getfixturevalue("kind_cluster")
    cluster = LiveCluster(kind, folder, work, partial(_say, config))
    cluster.grant()
    cluster.record([s for s in _needed(request.session) if config.getoption("record") or not s.on_demand])
    return cluster


@pytest.fixture(scope="session")
def judged(live: Any) -> Judge:
    """Applies all rules to the recordings of the repository, or with --kind to those of the live cluster."""
    return Judge(live.folder, live=True, moments=live.moments) if live else of_repository()


def _say(config: pytest.Config, line: str) -> None:
    """Write a line while a fixture runs, although pytest captures the output."""
    with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        config.pluginmanager.getplugin("terminalreporter").write_line(f"kind: {line}")


def _needed(session: pytest.Session) -> list[Scenario]:
    """Return the scenarios that share a recording with a selected test; all scenarios if test_whole is selected.

    test_rights needs the cluster that is broken by the manifests.
    """
    addon, _ = _addon(session.config)
    selected = {scenario.recording for item in session.items if (scenario := _scenario(item))}
    files = {item.path.stem for item in session.items}
    selected |= {MANIFESTS} if "test_rights" in files else set()
    everything = "test_whole" in files
    chosen = [scenario for scenario in scenarios() if everything or scenario.recording in selected]
    return [scenario for scenario in chosen if scenario.addon == addon]
