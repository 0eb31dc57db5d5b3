"""All pages of the site, by their path on it."""

import re
from collections.abc import Mapping
from functools import partial

from manual import cause_page, rights, tables
from manual.causes import causes
from manual.links import FILES, REPOSITORY, Links

DOCS = REPOSITORY / "docs"

BORROWED = {
    "README.md": "index.md",
    "deploy/README.md": "scheduled-runs.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
}
"""Files outside docs/ that are pages of the site as well."""

FOLDERS = {"checks": "causes/index.md", "deploy": "scheduled-runs.md"}
"""Folders of the repository, each with the page about it."""

INSERTS = {
    "causes": tables.of_causes,
    "thresholds": tables.of_thresholds,
    "grants": rights.grants,
    "needs": tables.of_needs,
}
"""What is generated from the code and inserted into a page at ``<!-- generated: NAME -->``."""

_INSERT = re.compile(r"<!-- generated: (\w+) -->")


def pages() -> Mapping[str, str | bytes]:
    """Return all pages and the files that they link to, without the other files of docs/."""
    written = {f"docs/{path}": path for path in _written()}
    generated = {cause.file: f"causes/{cause.name}.md" for cause in causes()}
    links = Links(written | BORROWED | FOLDERS | generated)
    texts: dict[str, str | bytes] = {}
    for source, page in (written | BORROWED).items():
        text = links.rewrite((REPOSITORY / source).read_text(), source, page)
        texts[page] = _INSERT.sub(partial(_inserted, links, page), text)
    for cause in causes():
        page = f"causes/{cause.name}.md"
        texts[page] = links.rewrite(cause_page.page(cause), "README.md", page)
    return texts | {f"{FILES}/{path}": (REPOSITORY / path).read_bytes() for path in sorted(links.files)}


def _written() -> list[str]:
    return sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


def _inserted(links: Links, page: str, found: re.Match[str]) -> str:
    return links.rewrite(INSERTS[found[1]](), "README.md", page)


def navigation() -> list[dict[str, object]]:
    """Return the site's navigation."""
    return [
        {"Start": "index.md"},
        {
            "Use": [
                {"Options": "options.md"},
                {"Outcomes and known issues": "outcomes.md"},
                {"Reports": "reports.md"},
                {"Alerts and notifications": "alerting.md"},
                {"Recordings": "recordings.md"},
                {"Support bundles": "bundles.md"},
                {"Rights": "rights.md"},
                {"Kubernetes versions": "versions.md"},
                {"Scheduled runs": "scheduled-runs.md"},
                {"Many clusters": "fleet.md"},
                {"Performance": "performance.md"},
            ]
        },
        {"Causes": ["causes/index.md", *({c.name: f"causes/{c.name}.md"} for c in causes())]},
        {"Own checks": [{"Write your own checks": "own-checks.md"}, {"The interface": "api.md"}]},
        {
            "Project": [
                {"Other tools": "comparison.md"},
                {"Security": "security.md"},
                {"Contributing": "contributing.md"},
                {"Changelog": "changelog.md"},
            ]
        },
    ]
