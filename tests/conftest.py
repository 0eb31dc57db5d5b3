"""Fixtures of the library's own tests."""

import gc
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from kubernetes.utils.retry import Backoff  # type: ignore[attr-defined]

from kubevitals.errors import NotObserved
from kubevitals.inventory import probed as probed_module
from kubevitals.inventory.probed import MissingReport, ProbeResults
from kubevitals.probe.report import ProbeNetwork, ProbeReport
from kubevitals.source import clock, live
from kubevitals.source.live import Live
from scenarios.harness import check_modules
from tests.fake_server import ApiServer, Handler, Reply, api_server, write_kubeconfig
from tests.fakes import NOW
from tests.networks import UseProbe, node
from tests.once import read_once
from tests.own_checks import DEPLOYMENTS, PODS, Look
from tests.runs import Connect, Run, checks_in, crashing, log_path

settings.register_profile("kubevitals", derandomize=True, deadline=None, database=None)
settings.register_profile("thorough", settings.get_profile("kubevitals"), max_examples=6_000)
settings.load_profile("kubevitals")

UNUSED = (
    "cacheprovider",
    "doctest",
    "faulthandler",
    "hypothesispytest",
    "legacypath",
    "logging",
    "pastebin",
    "pytest-kind",
    "setuponly",
    "setupplan",
    "stepwise",
    "subtests",
    "unittest",
    "xdist",
    "xdist.looponfail",
)

SLIM = " ".join(["--assert=plain", "--capture=sys", *(f"-p no:{plugin}" for plugin in UNUSED)])
"""Options for a run of checks inside a test, without what it does not need of pytest."""

WIDE = "2000"
"""Columns of a terminal in which no line of a report is wrapped."""

gc.disable()


def pytest_collection_finish() -> None:
    """Spare the garbage collector what stays until the end: all modules and all tests."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def own_surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the kubeconfig, the proxies and the home folder of whoever runs the tests out of them.

    Checks are imported once for all runs in this process, and compiled once for runs in other processes.
    """
    check_modules()
    with pytest.MonkeyPatch.context() as environment:
        for name in (
            "KUBECONFIG",
            "KUBERNETES_SERVICE_HOST",
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "http_proxy",
            "https_proxy",
            "GITHUB_ACTIONS",
            "GITHUB_STEP_SUMMARY",
            "PYTHONDONTWRITEBYTECODE",
        ):
            environment.delenv(name, raising=False)
        environment.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        environment.setenv("PYTEST_ADDOPTS", SLIM)
        environment.setattr(clock, "machine_time", NOW.timestamp)
        read_once(environment)
        yield


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Runs of pytest in an empty folder."""
    monkeypatch.setenv("PYTEST_ADDOPTS", SLIM)
    return pytester


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """A fake API server."""
    with api_server() as running:
        yield running


@pytest.fixture
def received(server: ApiServer) -> list[tuple[str, str, dict[str, str], bytes]]:
    """What the server receives: method, path, headers and body."""
    seen: list[tuple[str, str, dict[str, str], bytes]] = []

    def accept(handler: Handler) -> None:
        seen.append((handler.command, handler.path, dict(handler.headers), handler.content))
        handler.send(Reply(b"ok"))

    server.otherwise = accept
    return seen


@pytest.fixture
def kubeconfig(server: ApiServer, tmp_path: Path) -> Path:
    """A kubeconfig that leads to the fake API server."""
    return write_kubeconfig(tmp_path / "kubeconfig", server.address)


@pytest.fixture
def healthy(server: ApiServer) -> ApiServer:
    """A cluster of one node that is ready."""
    server.serve("/api/v1/nodes", node("worker", cidr="10.244.1.0/24"))
    server.script("/api/v1/nodes/worker/proxy/stats/summary", Reply(b'{"node": {}, "pods": []}'))
    server.script("/api/v1/nodes/worker/proxy/configz", Reply(b'{"kubeletconfig": {}}'))
    return server


@pytest.fixture
def broken(healthy: ApiServer) -> ApiServer:
    """A cluster with a pod that crashes."""
    healthy.serve("/api/v1/pods", crashing("web-0"))
    healthy.script(log_path("web-0"), Reply(b"cannot open config\n"))
    return healthy


@pytest.fixture
def run(pytester: pytest.Pytester, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the checks in an empty folder, on the fake API server unless the options say otherwise.

    `checks` are the causes of those that are enough for a test: each file that is not collected saves time.
    """
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setenv("COLUMNS", WIDE)

    def run(*options: str | Path, checks: Iterable[str] = ()) -> pytest.RunResult:
        reports = ("--junitxml=junit.xml", "--findings=findings.json")
        return pytester.runpytest_inprocess(*checks_in(checks), *reports, *options)

    return run


@pytest.fixture
def connect(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Connects to the fake API server; what is tried again is tried again at once."""
    monkeypatch.setattr(live, "_BACKOFF", Backoff(steps=4, duration=0.001, factor=2.0, jitter=0.1))
    opened: list[Live] = []

    def connect(**options: Any) -> Live:
        opened.append(Live(kubeconfig=str(kubeconfig), **options))
        return opened[-1]

    yield connect
    for source in opened:
        source.close()


@pytest.fixture
def use_probe(monkeypatch: pytest.MonkeyPatch) -> UseProbe:
    """Let checks see these reports."""

    def use(reports: Iterable[ProbeReport], silent: Iterable[MissingReport] = ()) -> None:
        by_node: dict[str, dict[ProbeNetwork, ProbeReport]] = {}
        for report in reports:
            by_node.setdefault(report.node, {})[report.network] = report
        made = ProbeResults(by_node, tuple(silent), ("10.96.7.7",), 30123)
        monkeypatch.setattr(probed_module, "_results", lambda _: made)

    return use


@pytest.fixture
def no_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let checks see that no probe was asked for."""
    monkeypatch.setattr(probed_module, "_results", lambda _: NotObserved("no probe", unasked=True))


@pytest.fixture
def failed_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let checks see that the probe could not be run."""
    monkeypatch.setattr(probed_module, "_results", lambda _: NotObserved("forbidden", "create services"))


@pytest.fixture
def own(pytester: pytest.Pytester) -> Path:
    """A folder of checks, with those of the documentation."""
    folder = pytester.mkdir("my-checks")
    (folder / "test_bare_pod.py").write_text(PODS)
    (folder / "test_deployment_replicas.py").write_text(DEPLOYMENTS)
    return folder


@pytest.fixture
def look(pytester: pytest.Pytester, own: Path, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Runs the checks of the folder."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setenv("COLUMNS", WIDE)

    def look(*options: str | Path) -> pytest.RunResult:
        files = ("--findings=findings.json", "--metrics=metrics.prom", "--markdown=summary.md", "--junitxml=junit.xml")
        return pytester.runpytest_inprocess(own, *files, *options)

    return look


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A place for a recording."""
    return tmp_path / "cluster.recording"


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A browser that tests share; selenium takes long to import."""
    from tests.browser import chromium

    with chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def incident(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The HTML page of an incident."""
    from tests.html_pages import INCIDENT, drawn

    return drawn(INCIDENT, tmp_path_factory.mktemp("incident") / "health.html")


@pytest.fixture
def opened(browser: Any, incident: Path) -> Any:
    """A browser with the page of the incident."""
    from tests.html_pages import open_page

    open_page(browser, incident)
    return browser
