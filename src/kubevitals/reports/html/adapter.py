"""The only module that depends on how pytest-html works inside: its private attributes, and the HTML that it writes.

tests/test_pytest_html.py fails if a new version of pytest-html has changed any of this.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_html.plugin
from pytest_html.basereport import BaseReport
from pytest_metadata.plugin import metadata_key

RELOAD = ' onclick="location.reload()"'
"""The button that reloads the page serves unfinished pages only, and the policy forbids it."""

HEAD, BODY, SCRIPT, END = "</title>", "<body>", "<script>", "</script>"
"""What stands before the style, the body and the script of pytest-html's page, and after its script."""

STYLE = '<style type="text/css">'
STYLESHEET = "<link href="
"""How a self-contained page has its style, and how another one loads it."""

TITLE = re.compile(r'<h1 id="title">.*?</h1>', re.DOTALL)

CHECKBOX = re.compile(r'(<input [^>]*data-test-result="(\w+)")')
"""The check boxes by which pytest-html's table is filtered. They have no label."""


class PytestPage(NamedTuple):
    """What pytest-html writes, taken apart.

    Attributes:
        style: an element with its style, which applies to nothing else; or one that loads a stylesheet.
        script: it draws the table when that is opened.
    """

    style: str
    body: str
    script: str

    @property
    def is_self_contained(self) -> bool:
        """Whether the page loads nothing."""
        return STYLESHEET not in self.style


def reports(config: pytest.Config) -> list[BaseReport]:
    """Return the reports that pytest-html will write: one, or none without ``--html``."""
    return [plugin for plugin in config.pluginmanager.get_plugins() if isinstance(plugin, BaseReport)]


def add_report(config: pytest.Config, path: Path) -> None:
    """Have pytest-html write a report, if the user did not ask for one.

    Raises:
        OSError: the folder of the report cannot be created.
    """
    config.stash[metadata_key] = {}
    if config.pluginmanager.has_plugin("html") and not config.option.htmlpath:
        config.option.htmlpath = str(path)
        config.option.self_contained_html = True
        pytest_html.plugin.pytest_configure(config)


def start(report: BaseReport, session: pytest.Session, write: Callable[[Path, str], None]) -> None:
    """Begin a report after the collection, and have `write` write it instead of pytest-html."""
    path: Path = report._report_path  # noqa: SLF001
    report._write_report = lambda html: write(path, html)  # noqa: SLF001
    report.pytest_sessionstart(session)
    report.pytest_collection_finish(session)


def cancel(config: pytest.Config, path: Path | None = None) -> None:
    """Have no report written and announced, or only not the one with this path."""
    for report in reports(config):
        if path in (None, report._report_path):  # noqa: SLF001
            config.pluginmanager.unregister(report)


def taken_apart(html: str) -> PytestPage:
    """Return the parts of a page that pytest-html has written."""
    style = html[html.index(HEAD) + len(HEAD) : html.index("</head>")].strip()
    if style.startswith(STYLE):
        style = f"<style>@scope (#pytest-html) {{{style.removeprefix(STYLE).removesuffix('</style>')}}}</style>"
    start, end = html.rindex(SCRIPT), html.rindex(END)
    body = html[html.index(BODY) + len(BODY) : start] + html[end + len(END) : html.rindex("</body>")]
    body = CHECKBOX.sub(r'\1 aria-label="show \2"', TITLE.sub("", body, count=1).replace(RELOAD, "", 1))
    draw = html[start + len(SCRIPT) : end]
    script = f'document.getElementById("pytest").addEventListener("toggle", () => {{{draw}\n}}, {{ once: true }});'
    return PytestPage(style, body, script)


def policy(*scripts: str) -> str:
    """Return a policy under which only these scripts run and nothing is loaded, whatever texts a cluster contains."""
    digests = " ".join(_digests(scripts)) or "'none'"
    return (
        f"default-src 'none'; script-src {digests}; style-src 'unsafe-inline'; img-src data:; "
        "media-src data:; base-uri 'none'; form-action 'none'"
    )


def _digests(scripts: Iterable[str]) -> Iterable[str]:
    return (f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts)
