"""What the HTML report says, without a browser."""

from argparse import ArgumentTypeError

import pytest

from kubevitals.findings.explains import SAME_NODE, Explains
from kubevitals.plugin.options import web_site
from kubevitals.reports.html.cards import EVIDENCE
from kubevitals.reports.html.page import render
from tests.findings import finding, report_of, verdict
from tests.html_pages import INCIDENT


def test_evidence_is_shown_for_as_long_as_the_page_stays_small() -> None:
    lines = [f"{'x' * 900} {n}" for n in range(60)]
    report = report_of(
        verdict("a[b]", *(finding(f"Node/{n}", says=f"is broken {n} times", evidence=lines) for n in range(60)))
    )
    html = render(report)
    assert len(html) < 3_000_000
    assert 0 < html.count('class="card"') < 60
    much = [finding(f"Pod/a/{n}", node="a", says=f"is lost {n}", evidence=lines) for n in range(20)]
    rules = [Explains(("node",), SAME_NODE, ("net",))]
    html = render(report_of(verdict("node[down]", finding("Node/a")), verdict("net[gone]", *much), rules=rules))
    assert len(html) < EVIDENCE + 100_000
    assert "Evidence: in the findings file." in html


def test_what_was_not_observed_what_is_known_and_what_changed_is_told_with_its_reasons() -> None:
    html = render(INCIDENT)
    for part in (
        "until 9999-01-01: kept for the auditors",
        "forbidden: pods (missing right: list pods)",
        "<h3>New</h3>",
        "<h3>Resolved</h3>",
        "Node/gone: is broken",
    ):
        assert part in html


def test_the_url_of_the_documentation_is_one_of_a_web_site() -> None:
    assert web_site("https://docs.example/causes/") == "https://docs.example/causes"
    for text in ("", "docs.example", "javascript:alert(1)", "https://", "file:///etc"):
        with pytest.raises(ArgumentTypeError, match="is not a URL"):
            web_site(text)
