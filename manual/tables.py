"""Tables of all causes, of their rights and their thresholds; links are those of a file in the repository's root."""

from collections import defaultdict
from collections.abc import Iterable

from kubevitals.threshold import Threshold
from manual.causes import causes, thresholds
from manual.relations import link
from manual.rights import told
from scenarios.rights import Right

SECRETS: Right = ("list", "secrets")
"""What only ``--secret-names`` asks for."""


def of_causes() -> str:
    """Return all causes as a table."""
    lines = ["| cause | variants |", "| --- | --- |"]
    for cause in causes():
        variants = ", ".join(f"{variant.name} {variant.needs.mark}".rstrip() for variant in cause.variants)
        chapter = f" ({cause.chapter})" if "." in cause.chapter else ""
        lines.append(f"| [{cause.name}]({cause.file}){chapter}: {cause.title} | {variants} |")
    return "\n".join(lines)


def of_thresholds(chosen: Iterable[Threshold] | None = None) -> str:
    """Return thresholds, or all there are, as a table."""
    lines = ["| threshold | default | what it is |", "| --- | --- | --- |"]
    of = thresholds() if chosen is None else chosen
    return "\n".join([*lines, *(f"| `{one.name}` | {one.default:g} | {one.why} |" for one in of)])


def of_needs() -> str:
    """Return what requests take, a row for the variants of a cause that take the same, as a table."""
    lines = ["| checks | take |", "| --- | --- |"]
    for cause in causes():
        alike: dict[str, list[str]] = defaultdict(list)
        for variant in cause.variants:
            rights = told(variant.needs.rights - {SECRETS})
            alike[rights].append(f"{link(cause.name, variant.name)} {variant.needs.mark}".rstrip())
        lines += [f"| {cause.name}: {', '.join(variants)} | {rights} |" for rights, variants in alike.items()]
    return "\n".join(lines)
