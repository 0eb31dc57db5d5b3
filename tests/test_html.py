"""The HTML report in a real browser."""

import base64
import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from kubevitals.diagnosis.result import Report
from scenarios.harness import CHECKS
from tests.browser import DESKTOP, PHONE, TABLET, needs_browser, scripting, show
from tests.html_pages import (
    ATTACKS,
    INCIDENT,
    TOTAL,
    attacking,
    drawn,
    filtered,
    open_page,
    requests,
    very_many,
    wait_for,
)

AXE = Path(os.environ.get("KUBEVITALS_AXE", "absent"))
"""axe-core's script: ``npm install axe-core`` puts it at node_modules/axe-core/axe.min.js."""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run, as a user starts it, on a cluster whose names and texts are attacks."""
    folder = tmp_path_factory.mktemp("hostile")
    recording = attacking(folder / "hostile.recording")
    command = [sys.executable, "-m", "pytest", "-q", str(CHECKS), f"--snapshot={recording}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return folder / "reports" / "health.html"


# --- safe ---


@needs_browser
def test_nothing_that_a_cluster_says_acts_and_the_page_stands_alone(browser: Chrome, hostile: Path) -> None:
    browser.get_log("browser")
    requests(browser)
    open_page(browser, hostile)
    browser.execute_script("document.querySelectorAll('details').forEach(fold => { fold.open = true })")
    wait_for(browser, "document.querySelector('#results-table .results-table-row') !== null")
    shown = browser.find_element(By.TAG_NAME, "body").text
    for attack in ATTACKS:
        assert attack in shown
    assert browser.title.startswith("Broken: ")
    assert browser.get_log("browser") == []
    assert requests(browser) == {hostile.as_uri()}


@needs_browser
def test_a_script_that_got_in_all_the_same_would_not_run(browser: Chrome, incident: Path, tmp_path: Path) -> None:
    injected = tmp_path / "injected.html"
    injected.write_text(incident.read_text("utf-8").replace("<main", f"{ATTACKS[0]}{ATTACKS[1][2:]}<main", 1), "utf-8")
    open_page(browser, injected)
    assert browser.title.startswith("Broken: ")
    assert any("Content Security Policy" in entry["message"] for entry in browser.get_log("browser"))


def test_the_head_says_what_the_page_is(incident: Path) -> None:
    html = incident.read_text("utf-8")
    assert re.search(r"<title>Broken: \d+ root causes .* \| fake</title>", html)
    assert re.search(r'<meta name="generator" content="kubevitals \d', html)
    assert '<html lang="en">' in html
    assert html.index("<h1>") < html.index("pytest&#39;s results" if "pytest&#39;s" in html else "pytest's results")
    assert html.count("<h1") == 1


# --- readable ---


@needs_browser
def test_with_scripts_off_everything_is_there(browser: Chrome, incident: Path) -> None:
    with scripting(browser, enabled=False):
        open_page(browser, incident)
        assert len(browser.find_elements(By.CSS_SELECTOR, ".root")) == TOTAL
        browser.find_element(By.CSS_SELECTOR, ".root > summary").click()
        text = browser.find_element(By.TAG_NAME, "main").text
    for part in ("Broken: ", "Remedy: ", "kubectl ", "no <heartbeat>", "Checks by chapter", "Not observed"):
        assert part in text


@needs_browser
@pytest.mark.parametrize("width", [PHONE, TABLET, DESKTOP])
def test_the_page_fits_its_screen(opened: Chrome, width: int) -> None:
    show(opened, width)
    assert opened.execute_script("return document.documentElement.scrollWidth") <= width
    heights = "return [...document.querySelectorAll('.root > summary')].slice(0, 20).map(row => row.offsetHeight)"
    assert max(opened.execute_script(heights)) < (40 if width == DESKTOP else 110)
    first = "return document.querySelector('.root').getBoundingClientRect().top"
    assert opened.execute_script(first) < 420
    cut = (
        "return [...document.querySelectorAll('.chip')].filter("
        "chip => chip.offsetHeight > 30 && !/[ -]/.test(chip.textContent.trim())).length"
    )
    assert opened.execute_script(cut) == 0


@needs_browser
@pytest.mark.skipif(not AXE.is_file(), reason="KUBEVITALS_AXE names no axe.min.js (npm install axe-core)")
@pytest.mark.parametrize(("width", "dark"), [(PHONE, True), (DESKTOP, False)], ids=["phone-dark", "desktop-light"])
def test_axe_finds_no_violation(browser: Chrome, incident: Path, hostile: Path, width: int, dark: bool) -> None:
    ids = " ".join(root.id for root in INCIDENT.roots[:3])
    for shown, fragment, opened in ((incident, f"#q=worker-1&open={ids}", "main details"), (hostile, "", "#pytest")):
        open_page(browser, shown, width, fragment, dark=dark)
        browser.execute_script(f"document.querySelectorAll('{opened}').forEach(fold => {{ fold.open = true }})")
        wait_for(browser, "document.querySelector('.root[open] .copy, #results-table tbody') !== null")
        browser.execute_script(AXE.read_text())
        result = browser.execute_async_script(f"axe.run('{opened.split()[0]}').then(arguments[0])")
        assert len(result["passes"]) > 10
        assert [f"{broken['id']}: {broken['nodes'][0]['html'][:200]}" for broken in result["violations"]] == []


@needs_browser
def test_it_prints_on_few_pages(opened: Chrome) -> None:
    def pages() -> int:
        pdf = base64.b64decode(
            opened.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.7})["data"]
        )
        return len(re.findall(rb"/Type\s*/Page\b", pdf))

    whole = pages()
    opened.execute_script("document.getElementById('findings').remove()")
    assert pages() <= 3
    assert whole <= 3 + TOTAL / 25


# --- a card ---


@needs_browser
def test_a_root_opens_with_its_chain_its_knowledge_and_what_can_be_copied(opened: Chrome) -> None:
    summary = opened.find_element(By.CSS_SELECTOR, ".root > summary")
    assert summary.text.split("\n") == ["error", "Node/worker-1", "3 of 4", "down", "new is down: no heartbeat"]
    summary.send_keys(" ")
    wait_for(opened, "document.querySelector('.root[open] .copy') !== null")
    card = opened.find_element(By.CSS_SELECTOR, ".card")
    for part in ("3 of 4 replicas missing", "no <heartbeat> for 5m", "Explains 1 symptom", "Pod/shop/web is lost"):
        assert part in card.text
    buttons = [button.text for button in card.find_elements(By.CLASS_NAME, "copy") if button.is_displayed()]
    assert buttons == ["Copy", "Copy", "Copy the link", "Copy as text"]
    knowledge = card.find_element(By.CSS_SELECTOR, ".card > details")
    assert "The kubelet" not in card.text
    knowledge.find_element(By.TAG_NAME, "summary").click()
    assert "Meaning: The kubelet is <silent>." in knowledge.text
    assert knowledge.find_element(By.TAG_NAME, "code").text == "Unknown"
    assert knowledge.find_element(By.TAG_NAME, "a").get_attribute("href") == "https://docs.example/node/"
    assert opened.current_url.endswith(f"#open={INCIDENT.roots[0].id}")


@needs_browser
def test_permalinks_open_what_is_not_drawn_yet(browser: Chrome, incident: Path) -> None:
    symptom, last = INCIDENT.roots[0].symptoms[0], INCIDENT.roots[-1].id
    for id_ in (symptom, last):
        open_page(browser, incident, fragment=f"#f-{id_}")
        wait_for(
            browser, f"document.getElementById('f-{id_}')?.checkVisibility() && document.getElementById('f-{id_}').open"
        )


@needs_browser
def test_the_keyboard_is_enough(opened: Chrome) -> None:
    focused = "(document.activeElement.name ?? document.activeElement.textContent)"
    opened.find_element(By.TAG_NAME, "body").send_keys("/")
    assert wait_for(opened, focused) == "q"
    rows = opened.find_elements(By.CSS_SELECTOR, ".root > summary")[:2]
    rows[0].send_keys("\ue015")  # arrow down
    assert opened.switch_to.active_element == rows[1]
    rows[1].send_keys("\ue013")  # arrow up
    assert opened.switch_to.active_element == rows[0]


# --- what is saved, what others write, and very much ---


@needs_browser
def test_the_findings_can_be_saved(opened: Chrome, incident: Path) -> None:
    packed = re.search(r'href="data:application/gzip;base64,([^"]+)"', incident.read_text("utf-8"))
    assert packed
    assert msgspec.json.decode(gzip.decompress(base64.b64decode(packed[1])), type=Report) == INCIDENT
    saved = opened.execute_async_script(
        "const done = arguments[0]; HTMLAnchorElement.prototype.click = () => {};"
        "URL.createObjectURL = (blob) => { blob.text().then(done); return '#'; };"
        "document.getElementById('save').dispatchEvent(new MouseEvent('click', {cancelable: true}))"
    )
    assert msgspec.json.decode(saved, type=Report) == INCIDENT


@needs_browser
def test_the_table_of_pytest_is_closed_and_drawn_when_it_is_opened(opened: Chrome) -> None:
    assert not opened.execute_script("return window.pytestRan ?? false")
    opened.execute_script("document.getElementById('pytest').open = true")
    assert wait_for(opened, "window.pytestRan")
    color = "return getComputedStyle(document.querySelector('.verdict p')).color"
    assert opened.execute_script(color) != "rgb(255, 0, 0)"


@needs_browser
def test_five_thousand_roots_are_read_at_once(browser: Chrome, tmp_path: Path) -> None:
    path = drawn(very_many(5000), tmp_path / "many.html")
    assert path.stat().st_size < 3_000_000
    measured = (
        "const done = arguments[0], at = performance.getEntriesByName('first-contentful-paint')[0].startTime;"
        "const blocked = (list) => list.getEntries().reduce((sum, task) => sum + task.duration - 50, 0);"
        "new PerformanceObserver((list) => done([at, blocked(list)]))"
        ".observe({type: 'longtask', buffered: true}); setTimeout(() => done([at, 0]), 300)"
    )

    def loaded() -> tuple[float, float]:
        open_page(browser, path)
        wait_for(browser, "performance.getEntriesByName('first-contentful-paint').length")
        paint, blocked = browser.execute_async_script(measured)
        return float(paint), float(blocked)

    assert any(paint < 1000 and blocked < 200 for paint, blocked in (loaded() for _ in range(4)))
    assert len(filtered(browser, "q", "team-3/ CHECKOUT")) == 63
