"""Tables of all causes, of the rights they need and of their thresholds. Links are relative to the repository."""

from collections import defaultdict
from collections.abc import Iterable

from kubevitals.threshold import Threshold
from manual.causes import causes, thresholds
from manual.relations import link
from manual.rights import listed
from scenarios.rights import Right

SECRETS: Right = ("list", "secrets")
"""The right that is only needed with ``--secret-names``."""


def of_causes() -> str:
    """Return a table of all causes."""
    lines = ["| cause | variants |", "| --- | --- |"]
    for cause in causes():
        variants = ", ".join(f"{variant.name} {variant.needs.mark}".rstrip() for variant in cause.variants)
        chapter = f" ({cause.chapter})" if "." in cause.chapter else ""
        lines.append(f"| [{cause.name}]({cause.file}){chapter}: {cause.title} | {variants} |")
    return "\n".join(lines)


def of_thresholds(chosen: Iterable[Threshold] | None = None) -> str:
    """Return a table of thresholds; of all, unless some are given."""
    lines = ["| threshold | default | meaning |", "| --- | --- | --- |"]
    shown = thresholds() if chosen is None else chosen
    lines += [f"| `{threshold.name}` | {threshold.default:.10g} | {threshold.why} |" for threshold in shown]
    return "\n".join(lines)


def of_needs() -> str:
    """Return a table of the rights that requests need, with one row for all variants of a cause that need the same."""
    lines = ["| checks | need |", "| --- | --- |"]
    for cause in causes():
        alike: dict[str, list[str]] = defaultdict(list)
        for variant in cause.variants:
            rights = listed(variant.needs.rights - {SECRETS})
            alike[rights].append(f"{link(cause.name, variant.name)} {variant.needs.mark}".rstrip())
        lines += [f"| {cause.name}: {', '.join(variants)} | {rights} |" for rights, variants in alike.items()]
    return "\n".join(lines)
