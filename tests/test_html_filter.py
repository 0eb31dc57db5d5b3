"""The HTML report's filter in a real browser."""

from pathlib import Path

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from kubevitals.reports.html.page import FIRST
from tests.browser import needs_browser
from tests.html_pages import INCIDENT, TOTAL, filtered, names, open_page, wait_for

pytestmark = needs_browser


def test_the_filter_finds_words_in_any_order_and_is_in_the_address(opened: Chrome) -> None:
    assert wait_for(opened, "document.querySelectorAll('#roots > .root').length") <= TOTAL
    assert filtered(opened, "q", "heartbeat WORKER-1 5m") == ["Node/worker-1"]
    assert opened.current_url.endswith("#q=heartbeat+WORKER-1+5m")
    assert opened.find_element(By.ID, "count").text == f"1 of {TOTAL}"
    assert filtered(opened, "q", "no such thing") == []
    assert filtered(opened, "q", "") == names(opened)
    assert len(names(opened)) == TOTAL
    assert filtered(opened, "namespace", "shop") == ["Node/worker-1"]
    assert filtered(opened, "namespace", "c") == ["Claim/a/data+3"]
    assert filtered(opened, "node", "worker-1") == []
    opened.find_element(By.CSS_SELECTOR, "#facets [type=reset]").click()
    wait_for(opened, "location.hash === ''")
    assert len(names(opened)) == TOTAL
    assert filtered(opened, "cause", "net")[0] == "Node/worker-1"


def test_the_state_of_the_page_is_restored_from_its_address(browser: Chrome, incident: Path) -> None:
    root = INCIDENT.roots[0].id
    open_page(browser, incident, fragment=f"#node=worker-1&group=cause&open={root}")
    wait_for(browser, "document.querySelector('.root[open]') !== null")
    groups = [heading.text.split("\n")[0] for heading in browser.find_elements(By.CLASS_NAME, "group")]
    assert groups == ["node", "crash"]
    assert browser.find_element(By.CSS_SELECTOR, ".root[open]").get_attribute("id") == f"f-{root}"
    assert browser.execute_script("return document.forms.filter.elements.node.value") == "worker-1"


def test_counts_and_the_heat_map_filter(opened: Chrome) -> None:
    chips = {chip.text: chip for chip in opened.find_elements(By.CSS_SELECTOR, ".counts a")}
    assert list(chips) == [f"✗ {TOTAL - 2} errors", "! 1 warning", f"+ {TOTAL - 1} new", "≈ 1 known"]
    chips["! 1 warning"].click()
    assert names(opened) == ["Node/fresh"]
    assert chips["! 1 warning"].get_attribute("aria-current") is not None
    chips["! 1 warning"].click()
    assert len(names(opened)) == TOTAL
    cell = opened.find_element(By.CSS_SELECTOR, "svg a[aria-label^='worker-3, crash: ']")
    opened.execute_script(
        "arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true}))", cell
    )
    wait_for(opened, "location.hash.includes('node=worker-3')")
    assert len(names(opened)) == sum(n % 5 == 3 for n in range(FIRST + 50))
