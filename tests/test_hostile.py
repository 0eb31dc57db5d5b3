"""Hostile texts are planted wherever a cluster has some, and every output is read with a parser of its format."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

import pytest
from kubernetes.utils.retry import Backoff  # type: ignore[attr-defined]
from markdown_it import MarkdownIt
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from kubevitals.diagnosis.history import read
from kubevitals.source import live
from tests.fake_server import ApiServer, write_kubeconfig
from tests.hostile import HOSTILE, refuse, serve
from tests.runs import Run

pytest_plugins = ["pytester"]

BOUND = 600_000
"""Bytes of any output, or characters of it."""


class Outputs(NamedTuple):
    """All that a run writes."""

    terminal: str
    html: str
    findings: str
    junit: str
    markdown: str
    metrics: str


FILES = ("reports/health.html", "findings.json", "junit.xml", "summary.md", "metrics.prom")


@pytest.fixture
def outputs(run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outputs]:
    """Runs the checks in a workflow with all reports, and returns them."""
    monkeypatch.setattr(live, "_BACKOFF", Backoff(steps=2, duration=0.001, factor=1.0, jitter=0.0))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")

    def outputs(*options: str, checks: Sequence[str] = ()) -> Outputs:
        result = run("-v", "--markdown=summary.md", "--metrics=metrics.prom", *options, checks=checks)
        assert result.ret == 1
        return Outputs(result.stdout.str() + result.stderr.str(), *(Path(file).read_text("utf-8") for file in FILES))

    return outputs


def test_nothing_that_objects_and_logs_say_acts_anywhere(
    outputs: Callable[..., Outputs], server: ApiServer, kubeconfig: Path
) -> None:
    """One cluster has all texts, and its name some of them: what leaks is in what fails."""
    serve(server, *HOSTILE.values())
    name = b"".join(HOSTILE[text] for text in ("terminal", "lines", "HTML", "templates and XML"))
    write_kubeconfig(kubeconfig, server.address, name.decode("utf-8", "replace"))
    outputs("--record=cluster.recording", "-k", "not volume")
    Path("findings.json").rename("earlier.json")
    is_harmless(outputs("--compare=earlier.json"))
    assert Path("cluster.recording").stat().st_size < BOUND
    outputs("--snapshot=cluster.recording", "-k", "not volume")
    assert read(Path("findings.json")).findings == read(Path("earlier.json")).findings


TOGETHER = (
    ("harmless", "terminal", "lines"),
    ("formula", "HTML", "templates and XML"),
    ("command", "bidirectional"),
    ("option", "label of a metric"),
    ("Markdown", "no UTF-8"),
    ("very long",),
    ("many lines",),
    ("very long to escape",),
)
"""Texts that fit into what is shown of one text; what acts only at the beginning is the first."""


@pytest.mark.parametrize("kinds", TOGETHER, ids=" and ".join)
def test_nothing_that_a_server_says_acts_anywhere(
    outputs: Callable[..., Outputs], server: ApiServer, kubeconfig: Path, kinds: Sequence[str]
) -> None:
    """These checks read what is refused, and what a kubelet says of itself."""
    text = b" ".join(HOSTILE[kind] for kind in kinds)
    checks = ("api-server", "jobs", "kube-proxy", "node-limits", "node-ready", "startup-error")
    serve(server, text)
    refuse(server, text)
    write_kubeconfig(kubeconfig, server.address, text[:5_000].decode("utf-8", "replace"))
    is_harmless(outputs("--record=cluster.recording", checks=checks))
    Path("findings.json").rename("earlier.json")
    is_harmless(outputs("--snapshot=cluster.recording", checks=checks))
    assert Path("cluster.recording").stat().st_size < BOUND
    assert read(Path("findings.json")).findings == read(Path("earlier.json")).findings


def test_every_hostile_text_is_said() -> None:
    assert sorted(kind for kinds in TOGETHER for kind in kinds) == sorted(HOSTILE)


def is_harmless(told: Outputs) -> None:
    """Read every output with a parser of its format."""
    for check in (_terminal, _page, _findings, _junit, _markdown, _metrics):
        check(told)


PYTEST_HTML = "https://pypi.python.org/pypi/pytest-html"
"""The one link that leads elsewhere."""


class Elements(HTMLParser):
    """The elements of a page with the names of their attributes, where links lead to, and the cells of tables.

    Attributes:
        data: what a script makes more of the page of.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[tuple[str, str]] = set()
        self.links: set[str] = set()
        self.scripts = 0
        self.data: list[str] = []
        self.cells: list[str] = []
        self._in_cell = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.found |= {(tag, ""), *((tag, name) for name, _ in attrs)}
        self.links |= {value or "" for name, value in attrs if name in ("href", "src", "action")}
        self.data += [value or "" for name, value in attrs if name == "data-jsonblob"]
        self._in_cell = tag in ("td", "th")
        self.cells += [""] if self._in_cell else []

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.cells[-1] += data


def _terminal(outputs: Outputs) -> None:
    lines = outputs.terminal.splitlines()
    assert [line for line in outputs.terminal.split("\n") if not line.isprintable()] == []
    assert max(map(len, lines)) < 10_000
    assert len(outputs.terminal) < BOUND
    token = next(line for line in lines if line.startswith("::stop-commands::")).removeprefix("::stop-commands::")
    ours = (
        rf"stop-commands::{token}|{token}::",
        r"(?:error|warning) title=[\w%,.-]+(?:\[[\w-]+\])?::.*",
        r"group::(?:error|warning): .*|endgroup::",
    )
    allowed = re.compile(f"::(?:{'|'.join(ours)})")
    assert [line for line in lines if line.startswith("::") and not allowed.fullmatch(line)] == []


def _page(outputs: Outputs) -> None:
    page = Elements(outputs.html)
    assert page.scripts == 2
    assert not {name for _, name in page.found if name.startswith("on")}
    assert not {"iframe", "object", "embed", "base"} & {tag for tag, _ in page.found}
    assert {link for link in page.links if not link.startswith(("#", "data:image/", "data:application/gzip;"))} <= {
        "",
        PYTEST_HTML,
    }
    assert [cell for cell in page.cells if cell.strip().startswith(("=", "+", "-", "@"))] == []
    assert "\x1b" not in outputs.html
    (data,) = page.data
    made = [Elements(text) for text in _texts(json.loads(data))]
    assert {found for part in made for found in part.found} <= {("p", ""), ("td", ""), ("td", "class")}
    assert len(outputs.html) < BOUND


def _findings(outputs: Outputs) -> None:
    found = read(Path("findings.json"))
    assert len(found.findings) >= 4
    texts = list(_texts(json.loads(outputs.findings)))
    assert [text for text in texts if not text.isprintable()] == []
    assert max(map(len, texts)) < 3_000
    assert len(outputs.findings) < BOUND


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            yield from _texts([*value.keys(), *value.values()])
        case list():
            for each in value:
                yield from _texts(each)


def _junit(outputs: Outputs) -> None:
    root = ET.fromstring(outputs.junit)
    items = read(Path("findings.json")).items
    assert len(root.findall(".//testcase")) == len(items)
    suites, cases = {"testsuites", "testsuite", "properties", "property"}, {"testcase", "failure", "skipped"}
    assert {element.tag for element in root.iter()} <= suites | cases | {"system-out", "system-err"}
    assert len(outputs.junit) < BOUND


def _markdown(outputs: Outputs) -> None:
    rendered = MarkdownIt("gfm-like", {"linkify": False}).render(outputs.markdown)
    page = Elements(rendered)
    texts, tables = {"h2", "h3", "p", "strong", "ul", "ol", "li", "br"}, {"table", "thead", "tbody", "tr", "th", "td"}
    assert {tag for tag, _ in page.found} <= texts | tables
    assert page.links == set()
    assert not re.search(r"(?<![\\\w])(?:https?://|@\w|#\d)", outputs.markdown)
    assert [cell for cell in page.cells if cell.strip().startswith(("=", "+", "-", "@"))] == []
    assert len(outputs.markdown) < BOUND


def _metrics(outputs: Outputs) -> None:
    families = list(text_string_to_metric_families(outputs.metrics))
    assert {family.name.partition("_")[0] for family in families} == {"kubevitals"}
    labels = [value for family in families for sample in family.samples for value in sample.labels.values()]
    assert [value for value in labels if not value.isprintable() or len(value) > 1_000] == []
    assert len(outputs.metrics) < BOUND
