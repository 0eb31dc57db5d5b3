"""The tables of docs/bundles.md: which lists a format has, and which checks are not observed in it."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from kubevitals.source.bundle.bundle import Bundle
from scenarios.harness import MANIFESTS, RECORDINGS, verdicts
from tests.bundle_layouts import LAYOUTS
from tests.bundles import Recorded, bundle, cluster_in, write

PAGE = Path(__file__).parents[1] / "docs/bundles.md"
SMALL = RECORDINGS / "two-faults-at-once.recording"
YES, NO = "✓", "✗"


def opened(recorded: Recorded) -> Iterator[tuple[str, Bundle]]:
    """Yield the recording's cluster as a bundle in each format."""
    for name, layout in LAYOUTS.items():
        with tempfile.TemporaryDirectory() as folder:
            yield name, bundle(write(layout(recorded), Path(folder)), now=recorded.snapshot.now)


def of_lists() -> str:
    """Return the table of lists: which kinds a bundle in each format holds."""
    bundles = dict(opened(Recorded(SMALL).with_one_of_each()))
    kinds = {kind.plural: kind for opened in bundles.values() for kind in opened.read.contents.kinds}
    rows = {
        plural: [YES if opened.read.contents.has(kind) else NO for opened in bundles.values()]
        for plural, kind in sorted(kinds.items())
    }
    return _table("list", [*bundles], rows)


def of_checks() -> str:
    """Return the table of checks that are not observed in each format, of the cluster with all scenarios."""
    unseen: dict[str, set[str]] = {}
    for name, of_format in opened(Recorded(RECORDINGS / f"{MANIFESTS}.recording")):
        unseen[name] = {verdict.check for verdict in verdicts(cluster_in(of_format)) if verdict.unseen}
    nowhere = set.intersection(*unseen.values())
    rows = {
        check: [NO if check in of_format else YES for of_format in unseen.values()]
        for check in sorted(set.union(*unseen.values()) - nowhere)
    }
    head = f"No format shows: {', '.join(f'`{check}`' for check in sorted(nowhere))}.\n\n"
    return head + _table("check", [*unseen], {f"`{check}`": marks for check, marks in rows.items()})


def _table(head: str, columns: list[str], rows: Mapping[str, list[str]]) -> str:
    lines = [f"| {head} | {' | '.join(columns)} |", f"| --- |{' :-: |' * len(columns)}"]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(marks)} |" for name, marks in rows.items())])


def replaced(page: str, name: str, table: str) -> str:
    """Return the page with another table between the two comments that name it."""
    before, _, rest = page.partition(f"<!-- {name} -->")
    after = rest.partition(f"<!-- end of {name} -->")[2]
    return f"{before}<!-- {name} -->\n\n{table}\n\n<!-- end of {name} -->{after}"
