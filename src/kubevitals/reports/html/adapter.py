"""The only module that depends on how pytest-html works inside: its private attributes, and the HTML that it writes.

tests/test_pytest_html.py fails if a new version of pytest-html has changed any of this.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path

import pytest
import pytest_html.plugin
from pytest_html.basereport import BaseReport
from pytest_metadata.plugin import metadata_key

REPLACED = {
    "<html>": '<html lang="en">',
    ' onclick="location.reload()"': "",
}
"""What is replaced in the page. The button that reloads it serves unfinished pages only, and the policy forbids it."""

HEAD = "<head>"
STYLESHEET = "<link href="
"""What a page has that is not self-contained: it may load its stylesheet."""

CHECKBOX = re.compile(r'(<input [^>]*data-test-result="(\w+)")')
"""The check boxes by which pytest-html's table is filtered. They have no label."""

VIEWPORT = '<meta name="viewport" content="width=device-width, initial-scale=1"/>'


def reports(config: pytest.Config) -> list[BaseReport]:
    """Return the reports that pytest-html will write: one, or none without ``--html``."""
    return [plugin for plugin in config.pluginmanager.get_plugins() if isinstance(plugin, BaseReport)]


def add_report(config: pytest.Config, path: Path) -> None:
    """Have pytest-html write a report, if the user did not ask for one.

    Raises:
        OSError: the folder of the report cannot be created.
    """
    config.stash[metadata_key] = {}
    if not config.option.htmlpath and config.pluginmanager.has_plugin("html"):
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


def finished(html: str, script: str) -> str:
    """Return the page with a language, a width that suits phones, labels, and a Content-Security-Policy.

    The policy allows only `script` and the script of pytest-html, and no other file unless the page has a stylesheet.
    """
    head = VIEWPORT
    if STYLESHEET not in html:
        own_script = html[html.rindex("<script>") + len("<script>") : html.rindex("</script>")]
        head = f'<meta http-equiv="Content-Security-Policy" content="{_policy(script, own_script)}"/>{VIEWPORT}'
    html = _replaced(html, REPLACED | {HEAD: f"{HEAD}{head}"})
    return CHECKBOX.sub(r'\1 aria-label="show \2"', html)


def _replaced(html: str, replacements: Mapping[str, str]) -> str:
    for old, new in replacements.items():
        html = html.replace(old, new, 1)
    return html


def _policy(*scripts: str) -> str:
    """Return a policy under which only these scripts run and nothing is loaded, whatever texts a cluster contains."""
    return (
        f"default-src 'none'; script-src {' '.join(_digests(scripts))}; style-src 'unsafe-inline'; img-src data:; "
        "media-src data:; base-uri 'none'; form-action 'none'"
    )


def _digests(scripts: Iterable[str]) -> Iterable[str]:
    return (f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts)
