"""Words that texts for people must not contain, because readers stumble over them; each with a better one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/**/*.md")])
TEMPLATES = sorted(ROOT.glob("src/kubevitals/reports/html/templates/*.html"))
CODE = sorted(
    path
    for folder in ("src/kubevitals", "checks", "scenarios", "manual", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
    if not path.name.endswith("_pb2.py")
)

BETTER = {
    r"\banew\b": "again, recreated",
    r"\bin vain\b": "failed, without success",
    r"\bfor want of\b": "because … is missing",
    r"\bwhoever\b": "the subject: a user, another workload",
    r"\bwhom\b": "a sentence with a subject",
    r"\b(told|tells?|telling) of\b": "reported, reports, says",
    r"\bmend(s|ed|ing)?\b": "fix",
    r"\b(that|which|and|what) (is|are) none\b": "is not a …",
    r"\bis none (to|of)\b": "is not a …",
    r"\basked (themselves|itself)\b": "queried directly",
    r"\black(s|ed|ing)?\b": "is missing",
    r"\bin (its|their) stead\b": "instead",
    r"\bshall\b": "must, should, will",
    r"\bagain and again\b": "keeps failing, repeatedly",
    r"\bfell? silent\b|\bfallen silent\b": "is unreachable",
    r"\b(is|are) laid at\b": "is at fault",
    r"\bfor ever\b": "permanently",
}
"""What must not be written, and what to write instead."""

ANY = re.compile("|".join(BETTER), re.IGNORECASE)


def texts(path: Path) -> Iterator[str]:
    """Yield the texts of a file that people read: all of a page, and the strings of code."""
    if path.suffix != ".py":
        yield path.read_text()
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def found(text: str) -> Iterator[str]:
    line = " ".join(text.split())
    for word, better in BETTER.items() if ANY.search(line) else ():
        for match in re.finditer(word, line, re.IGNORECASE):
            yield f"{match[0]!r}: write {better!r}, in: …{match.string[max(0, match.start() - 60) : match.end() + 40]}…"


@pytest.mark.parametrize("path", [*PAGES, *TEMPLATES, *CODE], ids=lambda path: str(path.relative_to(ROOT)))
def test_texts_for_people_have_none_of_these_words(path: Path) -> None:
    assert [line for text in texts(path) for line in found(text)] == []


def test_a_word_is_found_in_any_case_and_over_the_end_of_a_line() -> None:
    assert len(list(found("Made Anew, again and\n  again"))) == 2
    assert not list(found("a mandatory field; the pod is recreated"))
