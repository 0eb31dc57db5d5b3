"""The HTML report in a real browser."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from kubevitals import schema_pb2 as pb
from kubevitals.diagnosis.history import History
from kubevitals.diagnosis.known_issues import KnownIssue
from kubevitals.diagnosis.result import Report
from kubevitals.errors import NotObserved
from kubevitals.findings.explains import SAME_NODE, Explains
from kubevitals.inventory.cluster import Cluster
from kubevitals.reports.html import adapter, page
from kubevitals.reports.html.page import EVIDENCE, render
from kubevitals.source.recording import DEMO, Recording
from kubevitals.source.request import Answer, Request
from scenarios.harness import CHECKS
from tests.browser import DESKTOP, PHONE, chromium, missing, show
from tests.fakes import FakeSource, list_bytes
from tests.findings import finding, report_of, verdict
from tests.networks import node
from tests.runs import crashing

needs_browser = pytest.mark.skipif(bool(missing()), reason=missing() or "-")
AXE = Path(os.environ.get("KUBEVITALS_AXE", "absent"))
"""axe-core's script: ``npm install axe-core`` puts it at node_modules/axe-core/axe.min.js."""

ATTACKS = (
    "<script>document.title='pwned'</script>",
    '"><img src=x onerror="document.title=\'pwned\'">',
    "'-document.title='pwned'-'",
    "</script><script>document.title='pwned'</script>",
    "</style><svg onload=\"document.title='pwned'\">",
    "javascript:document.title='pwned'",
    "{{ 7 * 7 }}${7 * 7}",
)


def run(recording: Path, folder: Path, *options: str) -> Path:
    """Judge a recording as a user does, and return the page."""
    command = [sys.executable, "-m", "pytest", "-q", str(CHECKS), f"--snapshot={recording}"]
    done = subprocess.run([*command, *options], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return folder / "reports" / "health.html"


def recorded(path: Path, **lists: list[Any]) -> Path:
    """Write the recording of a cluster that has these objects."""
    answers: dict[str, Any] = {
        listing.path: Answer(200, list_bytes(lists.get(listing.name, []))) for listing in Cluster.listings()
    }
    recording = Recording(FakeSource(answers), path)
    for listing in Cluster.listings():
        recording.get(Request(f"{listing.path}?limit=1000&resourceVersion=0", listing.schema, listing.accept))
    for asked in ("/version", "/readyz?verbose"):
        recording.get(Request(asked))
    recording.close()
    return path


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the demo recording."""
    return run(DEMO, tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    """A browser that runs scripts."""
    with chromium() as opened:
        yield opened


def open_page(browser: Chrome, path: Path, width: int = DESKTOP, *, dark: bool = False) -> None:
    show(browser, width, dark=dark)
    browser.get(path.as_uri())


def requests(browser: Chrome) -> set[str]:
    """Return what was asked for since the last look, without the browser's own pages."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}
    return {url for url in asked if not url.startswith(("data:", "chrome:"))}


# --- safe ---


@needs_browser
def test_nothing_that_a_cluster_says_acts(browser: Chrome, tmp_path: Path) -> None:
    pods = [crashing(f"web-{attack}", attack, namespace=attack, on="worker-7") for attack in ATTACKS]
    nodes = [node(attack, "False", attack) for attack in ATTACKS]
    namespaces = [pb.Namespace(metadata=pb.ObjectMeta(name=attack)) for attack in ATTACKS]
    path = run(recorded(tmp_path / "hostile.recording", pods=pods, nodes=nodes, namespaces=namespaces), tmp_path)
    browser.get_log("browser")
    requests(browser)
    open_page(browser, path)
    for fold in browser.find_elements(By.TAG_NAME, "details"):
        browser.execute_script("arguments[0].open = true", fold)
    shown = browser.find_element(By.TAG_NAME, "main").text
    for attack in ATTACKS:
        assert attack in shown
    assert browser.title == "Cluster health"
    assert browser.get_log("browser") == []
    assert requests(browser) == {path.as_uri()}


@needs_browser
def test_a_script_that_got_in_all_the_same_would_not_run(browser: Chrome, demo: Path, tmp_path: Path) -> None:
    path = tmp_path / "injected.html"
    path.write_text(demo.read_text().replace("<main", f"{ATTACKS[0]}{ATTACKS[1][2:]}<main", 1))
    open_page(browser, path)
    assert browser.title == "Cluster health"
    assert any("Content Security Policy" in entry["message"] for entry in browser.get_log("browser"))


@needs_browser
def test_the_page_stands_alone(browser: Chrome, demo: Path) -> None:
    requests(browser)
    open_page(browser, demo)
    assert requests(browser) == {demo.as_uri()}


# --- readable ---


@needs_browser
def test_with_scripts_off_everything_is_there(demo: Path) -> None:
    with chromium(scripts=False) as plain:
        open_page(plain, demo)
        text = plain.find_element(By.TAG_NAME, "main").text
        assert not plain.find_element(By.ID, "filter").is_displayed()
    for part in ("Broken: ", "Start with", "Remedy: ", "kubectl -n ", "Checks by chapter", "Not observed"):
        assert part in text


@needs_browser
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_the_page_fits_its_screen(browser: Chrome, demo: Path, width: int) -> None:
    open_page(browser, demo, width)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


@needs_browser
@pytest.mark.skipif(not AXE.is_file(), reason="KUBEVITALS_AXE names no axe.min.js (npm install axe-core)")
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_no_serious_violation(browser: Chrome, demo: Path, width: int, dark: bool) -> None:
    open_page(browser, demo, width, dark=dark)
    for fold in browser.find_elements(By.TAG_NAME, "details"):
        browser.execute_script("arguments[0].open = true", fold)
    browser.execute_script(AXE.read_text())
    result = browser.execute_async_script("axe.run().then(arguments[0])")
    serious = [
        f"{violation['id']}: {violation['nodes'][0]['html'][:200]}"
        for violation in result["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
    assert len(result["passes"]) > 10
    assert serious == []


def test_what_was_not_observed_what_is_known_and_what_changed_is_told_with_its_reasons() -> None:
    issue = KnownIssue("net[gone]", "Pod/legacy/*", "kept for the auditors", date(9999, 1, 1))
    before = report_of(verdict("disk[full]", finding("Node/gone")), verdict("net[gone]"))
    report = report_of(
        verdict("net[gone]", finding("Pod/legacy/old"), known=[issue]),
        verdict("disk[full]", finding("Node/fresh")),
        verdict("dns[dead]", unseen=NotObserved("forbidden: pods", "list pods")),
        history=History(before),
    )
    html = render(report)
    for part in (
        "kept for the auditors</td><td>9999-01-01",
        "forbidden: pods (missing right: list pods)",
        "<h3>New</h3>",
        "<h3>Resolved</h3>",
        "Node/gone: is broken",
    ):
        assert part in html


# --- the filter ---


@pytest.fixture
def filtered(browser: Chrome, demo: Path) -> Callable[[str, str], list[str]]:
    """Sets a field of the filter, and returns the headings of what is shown then."""
    open_page(browser, demo)

    def filtered(field: str, value: str) -> list[str]:
        browser.find_element(By.ID, f"filter-{field}").send_keys(value)
        count = browser.find_element(By.ID, "filter-count")
        WebDriverWait(browser, 5).until(lambda _: count.text)
        return [
            heading.text for heading in browser.find_elements(By.CSS_SELECTOR, ".root h3") if heading.is_displayed()
        ]

    return filtered


@needs_browser
def test_the_filter_finds_text_in_objects_and_evidence(filtered: Callable[[str, str], list[str]]) -> None:
    assert filtered("text", "APP-CONFG")[0] == "Pod/config-map-misspelt/app"


@needs_browser
def test_the_filter_shows_a_namespace(filtered: Callable[[str, str], list[str]]) -> None:
    assert filtered("namespace", "config-map-misspelt") == ["Pod/config-map-misspelt/app"]


@needs_browser
def test_the_filter_shows_a_severity(filtered: Callable[[str, str], list[str]], browser: Chrome) -> None:
    shown = filtered("severity", "warning")
    cards = [card for card in browser.find_elements(By.CSS_SELECTOR, ".root") if card.is_displayed()]
    assert len(shown) == len(cards) > 0
    assert {card.get_attribute("data-severity") for card in cards} == {"warning"}


@needs_browser
def test_one_of_many_alike_can_be_filtered_too(browser: Chrome, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    claims = [finding(f"Claim/{namespace}/data") for namespace in "abcd"]
    path.write_text(adapter.finished(shell(report_of(verdict("claim[unbound]", *claims))), page.SCRIPT))
    open_page(browser, path)
    browser.find_element(By.ID, "filter-namespace").send_keys("c")
    assert [li.text for li in browser.find_elements(By.CSS_SELECTOR, ".root li") if li.is_displayed()] == [
        "Claim/c/data"
    ]


@needs_browser
def test_a_symptom_can_be_filtered_too(browser: Chrome, tmp_path: Path) -> None:
    report = report_of(
        verdict("node[down]", finding("Node/a"), finding("Node/b")),
        verdict("net[gone]", finding("Pod/shop/web", node="a")),
        rules=[Explains(("node",), SAME_NODE, ("net",))],
    )
    path = tmp_path / "page.html"
    path.write_text(adapter.finished(shell(report), page.SCRIPT))
    open_page(browser, path)
    browser.find_element(By.ID, "filter-namespace").send_keys("shop")
    assert [h.text for h in browser.find_elements(By.CSS_SELECTOR, "h3, h4") if h.is_displayed()] == [
        "Node/a",
        "Pod/shop/web",
    ]


def shell(report: Report) -> str:
    """Return the report on a page, as pytest-html puts it there."""
    body = f"<body>{render(report)}<script></script></body>"
    return f'<!DOCTYPE html><html><head><meta charset="utf-8"/></head>{body}</html>'


# --- large ---


@needs_browser
def test_a_thousand_nodes_are_read_at_once(browser: Chrome, tmp_path: Path) -> None:
    nodes = [node(f"worker-{n}", "True" if n % 3 else "Unknown") for n in range(1000)]
    pods = [crashing(f"web-{n}", "it died " * 40, namespace=f"team-{n % 40}", on="worker-7") for n in range(2000)]
    path = run(recorded(tmp_path / "large.recording", nodes=nodes, pods=pods), tmp_path)
    assert path.stat().st_size < 3_000_000

    def loaded() -> float:
        open_page(browser, path)
        timing = "const [t] = performance.getEntriesByType('navigation'); return t.loadEventEnd - t.startTime"
        return float(WebDriverWait(browser, 10).until(lambda b: b.execute_script(timing)))

    assert min(loaded() for _ in range(3)) < 2000


def test_evidence_is_shown_for_as_long_as_the_page_stays_small() -> None:
    lines = [f"{'x' * 900} {n}" for n in range(60)]
    report = report_of(
        verdict("a[b]", *(finding(f"Node/{n}", says=f"is broken {n} times", evidence=lines) for n in range(100)))
    )
    html = render(report)
    assert len(html) < EVIDENCE + 300_000
    assert html.count("Evidence (60 lines)") < 100
    assert "see the findings file" in html
