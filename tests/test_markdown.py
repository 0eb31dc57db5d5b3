"""The Markdown report: its texts do not act, and read as they are; the first roots have their remedies."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from kubevitals.diagnosis.history import History
from kubevitals.reports.markdown import SHOWN, escape, markdown
from tests.findings import finding, report_of, verdict

RENDERER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
ACTS = "abc 12 *_`[]()<>#+-=.!|~&;:@$/\\\"'{}"


FRAMES = (("{}", "<p>", "</p>"), ("- {}", "<ul>\n<li>", "</li>\n</ul>"), ("## {}", "<h2>", "</h2>"))


def rendered(text: str) -> str:
    return str(RENDERER.render(text))


@given(st.text(ACTS, min_size=1, max_size=40).map(lambda text: " ".join(text.split())).filter(bool))
def test_an_escaped_text_is_rendered_as_it_is(text: str) -> None:
    """In a paragraph, in an item of a list and in a heading."""
    for frame, before, after in FRAMES:
        made = rendered(frame.format(escape(text))).strip()
        assert made.startswith(before)
        assert made.endswith(after)
        inside = made[len(before) : -len(after)]
        assert "<" not in inside
        assert html.unescape(inside) == text


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ('StorageClass "fast-ssd" does not exist (kubectl get storageclass): see 22:12:02', None),
        ("data-db_0 of a_b_c 3.5 GiB, 50%, v1.34 & more -> x", None),
        ("volume-claim[unbound]", r"volume-claim\[unbound]"),
        ("@all see https://x and www.x", r"\@all see https\://x and www\.x"),
        ("_id_ :tada: #12", r"\_id\_ \:tada: \#12"),
        ("1. one", r"1\. one"),
    ],
)
def test_only_what_acts_is_escaped(text: str, escaped: str | None) -> None:
    """Also what acts on GitHub: mentions, addresses, emoji and numbers of issues."""
    assert escape(text) == (escaped or text)


def test_the_first_roots_have_their_remedies_and_the_others_are_counted() -> None:
    checks = [verdict(f"cause-{n}[gone]", finding(f"Pod/shop/web-{n}", says=f"fault {n}")) for n in range(SHOWN + 2)]
    page = rendered(markdown(report_of(*checks)))
    assert page.count("<li>") == SHOWN
    assert page.count("remedy: ") == SHOWN
    assert "and 2 more root causes" in page


def test_what_is_new_and_what_is_resolved_is_told() -> None:
    before = report_of(verdict("a[gone]", finding("Pod/shop/old", says="was *broken*")), verdict("b[gone]"))
    now = report_of(
        verdict("a[gone]"), verdict("b[gone]", finding("Pod/shop/young", says="fails")), history=History(before)
    )
    text = re.sub("<.*?>", "", rendered(markdown(now)))
    assert "new Pod/shop/young: fails" in text
    assert "Resolved\n\nPod/shop/old: was *broken*  [a[gone]]" in text
