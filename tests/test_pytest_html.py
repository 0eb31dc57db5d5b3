"""What the HTML report relies on inside pytest-html: if this fails, adapt `kubevitals.reports.html.adapter`."""

from inspect import signature
from pathlib import Path

import pytest
from pytest_html.basereport import BaseReport

from kubevitals.reports.html.adapter import BODY, CHECKBOX, HEAD, RELOAD, STYLE, STYLESHEET, TITLE, taken_apart

pytest_plugins = ["pytester"]


@pytest.fixture(params=["linked", "self-contained"])
def written(request: pytest.FixtureRequest, pytester: pytest.Pytester) -> str:
    """The page that pytest-html writes by itself."""
    pytester.makepyfile("def test_one(): pass")
    options = ["--self-contained-html"] if request.param == "self-contained" else []
    pytester.runpytest("-p", "no:kubevitals.plugin.hooks", "--html=page.html", *options).assert_outcomes(passed=1)
    return Path("page.html").read_text("utf-8")


def test_the_page_is_taken_apart(written: str) -> None:
    for mark in (RELOAD, HEAD, "</head>", BODY, "</body>"):
        assert written.count(mark) == 1
    assert written.count("<script") == written.count("<script>") == 1
    assert (STYLE in written) is (STYLESHEET not in written)
    assert len(TITLE.findall(written)) == 1
    assert len(CHECKBOX.findall(written)) == written.count('type="checkbox"') > 0
    parts = taken_apart(written)
    assert parts.is_self_contained is (STYLESHEET not in written)
    assert parts.style.startswith("<style>@scope (#pytest-html) {" if parts.is_self_contained else STYLESHEET)
    assert 'id="results-table"' in parts.body
    assert "<h1" not in parts.body
    assert parts.body.count("aria-label=") == written.count('type="checkbox"')
    assert "<script" not in parts.body
    assert "data-container" in parts.script


def test_a_report_is_written_by_the_method_that_is_replaced() -> None:
    assert list(signature(BaseReport._write_report).parameters) == ["self", "rendered_report"]
    assert {"pytest_sessionstart", "pytest_collection_finish"} <= vars(BaseReport).keys()
