"""The rules by which findings explain others, in words."""

from collections.abc import Iterator
from functools import cache

from kubevitals.findings import explains
from kubevitals.findings.check_names import cause_in, variant_in
from kubevitals.findings.explains import Explains, Relation
from manual.documented import documented
from scenarios.harness import check_modules


@cache
def declared() -> tuple[Explains, ...]:
    """Return the rules that checks declare."""
    return tuple(explains.declared(check_modules().values()))


@cache
def _words() -> dict[Relation, str]:
    """Return what the docstring below each relation says before the colon; after it there is an example."""
    texts = ((getattr(explains, name), text) for name, text in documented(explains).items())
    return {value: text.partition(":")[0].rstrip(".") for value, text in texts if isinstance(value, Relation)}


def explaining(cause: str) -> Iterator[str]:
    """Yield a line for each rule by which a cause explains something."""
    yield from _lines(rule for rule in declared() if _has(rule.roots, cause))


def explained(cause: str) -> Iterator[str]:
    """Yield a line for each rule by which another cause explains this one."""
    rules = (rule for rule in declared() if not _has(rule.roots, cause))
    yield from _lines(rule for rule in rules if _has(rule.symptoms, cause))


def _has(names: tuple[str, ...], cause: str) -> bool:
    return cause in map(cause_in, names)


def _lines(rules: Iterator[Explains]) -> Iterator[str]:
    for rule in rules:
        relation = _words()[rule.on]
        words = f", and the symptom says `{rule.words}`" if rule.words else ""
        yield f"{_links(rule.roots)} → {_links(rule.symptoms)}, if {relation[0].lower()}{relation[1:]}{words}."


def _links(names: tuple[str, ...]) -> str:
    return ", ".join(_named(name) for name in names)


def _named(name: str) -> str:
    return "any finding of another cause" if name == explains.ANY else link(cause_in(name), variant_in(name), name)


def link(cause: str, variant: str = "", text: str = "") -> str:
    """Return a link to the page of a cause, or to one of its variants there."""
    place = f"checks/{module_of(cause)}.py"
    return f"[`{text or variant or cause}`]({place}{f'#{variant}' if variant else ''})"


def module_of(cause: str) -> str:
    """Return the name of the module of a check, which is also that of its scenarios."""
    return f"test_{cause.replace('-', '_')}"
