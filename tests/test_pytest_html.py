"""What the HTML report relies on inside pytest-html: if this fails, adapt `kubevitals.reports.html.adapter`."""

from inspect import signature
from pathlib import Path

import pytest
from pytest_html.basereport import BaseReport

from kubevitals.reports.html.adapter import CHECKBOX, HEAD, REPLACED, STYLESHEET, finished

pytest_plugins = ["pytester"]


@pytest.fixture(params=["linked", "self-contained"])
def written(request: pytest.FixtureRequest, pytester: pytest.Pytester) -> str:
    """The page that pytest-html writes by itself."""
    pytester.makepyfile("def test_one(): pass")
    options = ["--self-contained-html"] if request.param == "self-contained" else []
    pytester.runpytest("-p", "no:kubevitals.plugin.hooks", "--html=page.html", *options).assert_outcomes(passed=1)
    return Path("page.html").read_text("utf-8")


def test_a_report_is_written_by_the_method_that_is_replaced() -> None:
    assert list(signature(BaseReport._write_report).parameters) == ["self", "rendered_report"]
    assert {"pytest_sessionstart", "pytest_collection_finish"} <= vars(BaseReport).keys()


def test_the_page_has_once_what_is_replaced(written: str) -> None:
    assert {text: written.count(text) for text in (*REPLACED, HEAD)} == dict.fromkeys((*REPLACED, HEAD), 1)
    assert len(CHECKBOX.findall(written)) == written.count('type="checkbox"') > 0


def test_only_a_self_contained_page_gets_a_policy(written: str) -> None:
    page = finished(written, "")
    assert (STYLESHEET in written) is ("Content-Security-Policy" not in page)
    assert page.count("<script>") == 1
    assert 'lang="en"' in page


def test_every_script_of_the_page_is_plain(written: str) -> None:
    assert written.count("<script") == written.count("<script>") == 1
