"""What explains what, in words."""

from collections.abc import Iterator
from functools import cache

from kubevitals.findings import explains
from kubevitals.findings.check_names import cause_in, variant_in
from kubevitals.findings.explains import Explains, Relation
from manual.documented import documented
from scenarios.harness import check_modules


@cache
def declared() -> tuple[Explains, ...]:
    """Return all rules that checks declare."""
    return tuple(explains.declared(check_modules().values()))


@cache
def _words() -> dict[Relation, str]:
    """Return what the docstring behind each relation says; behind a colon it gives an example."""
    told = ((getattr(explains, name), text) for name, text in documented(explains).items())
    return {value: text.partition(":")[0].rstrip(".") for value, text in told if isinstance(value, Relation)}


def explaining(cause: str) -> Iterator[str]:
    """Yield a line for each rule by which the cause, or a variant of it, explains something."""
    yield from _told(rule for rule in declared() if _has(rule.roots, cause))


def explained(cause: str) -> Iterator[str]:
    """Yield a line for each rule by which another cause explains this one, or a variant of it."""
    yield from _told(r for r in declared() if _has(r.symptoms, cause) and not _has(r.roots, cause))


def _has(names: tuple[str, ...], cause: str) -> bool:
    return cause in map(cause_in, names)


def _told(rules: Iterator[Explains]) -> Iterator[str]:
    for rule in rules:
        relation = _words()[rule.on]
        words = f", and the symptom says `{rule.words}`" if rule.words else ""
        yield f"{_links(rule.roots)} → {_links(rule.symptoms)}, where {relation[0].lower()}{relation[1:]}{words}."


def _links(names: tuple[str, ...]) -> str:
    return ", ".join(_named(name) for name in names)


def _named(name: str) -> str:
    return link(cause_in(name), variant_in(name), name)


def link(cause: str, variant: str = "", text: str = "") -> str:
    """Return a link to a cause's page, or to what it says of a variant."""
    place = f"checks/{module_of(cause)}.py"
    return f"[`{text or variant or cause}`]({place}{f'#{variant}' if variant else ''})"


def module_of(cause: str) -> str:
    """Return the name of the module of a cause's check, which is that of its scenarios, too."""
    return f"test_{cause.replace('-', '_')}"
