"""Everything that the repository contains about each cause: its check, its rules and its scenarios."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from inspect import cleandoc, getsource
from types import CodeType, FunctionType, ModuleType
from typing import Any

from kubevitals import threshold
from kubevitals.findings.check_names import check_name
from kubevitals.findings.declaration import Rule
from kubevitals.findings.documentation import documentation
from kubevitals.plugin.collected import library_modules
from kubevitals.threshold import Threshold
from manual.relations import module_of
from manual.watch import Needs, needs
from scenarios.harness import Scenario, check_modules, rules, scenarios


@dataclass(frozen=True)
class Variant:
    """A variant of a cause."""

    name: str
    rule: Rule
    needs: Needs
    severities: tuple[str, ...]

    @property
    def says(self) -> str:
        """What the rule finds: its docstring as a sentence."""
        return re.sub(r"^Find ", "Finds ", cleandoc(self.rule.__doc__ or ""))


@dataclass(frozen=True)
class Cause:
    """A cause with its documentation, variants, thresholds and scenarios."""

    name: str
    chapter: str
    title: str
    sections: dict[str, str]
    variants: tuple[Variant, ...]
    thresholds: tuple[Threshold, ...]
    scenarios: tuple[Scenario, ...]

    @property
    def module(self) -> str:
        """The name of the module of the check, which is also that of its scenarios."""
        return module_of(self.name)

    @property
    def file(self) -> str:
        """The file of the check in the repository."""
        return f"checks/{self.module}.py"


@cache
def causes() -> tuple[Cause, ...]:
    """Return all causes, in the order of their chapters."""
    names = dict.fromkeys(cause for cause, _ in rules())
    return tuple(sorted(map(_cause, names), key=lambda cause: (cause.chapter, cause.name)))


def _cause(name: str) -> Cause:
    module = check_modules()[module_of(name)]
    title, sections = documentation(module.__doc__ or "")
    variants = tuple(
        Variant(variant, rule, needs()[name, variant], _severities(name, variant, rule))
        for (cause, variant), (_, rule) in rules().items()
        if cause == name
    )
    used = {threshold for variant in variants for threshold in (*variant.needs.thresholds, *_thresholds(variant.rule))}
    return Cause(
        name,
        _chapter(name),
        title,
        sections,
        variants,
        tuple(threshold for threshold in thresholds() if _belongs(threshold, name, used)),
        tuple(
            scenario for scenario in scenarios() if scenario.state.__module__.startswith(f"scenarios.{module_of(name)}")
        ),
    )


def _chapter(name: str) -> str:
    marks: list[Any] = next(vars(check)["pytestmark"] for (cause, _), (check, _) in rules().items() if cause == name)
    return next(str(mark.kwargs["chapter"]) for mark in marks if mark.name == "cause")


def thresholds() -> list[Threshold]:
    """Return all thresholds, by name."""
    by_name = threshold.declared([*library_modules(), *check_modules().values()])
    return [by_name[name] for name in sorted(by_name)]


def _belongs(threshold: Threshold, cause: str, used: set[Threshold]) -> bool:
    """Return whether a threshold belongs to a cause alone, or is shared by causes and used by this one."""
    of = threshold.name.partition(".")[0]
    return of == cause or (threshold in used and of not in {name for name, _ in rules()})


def _severities(cause: str, variant: str, rule: Rule) -> tuple[str, ...]:
    """Return the severities of a variant: those in scenarios, and warning if the code of the rule contains it."""
    check = f"{check_name(cause, variant)} "
    lines = [line for scenario in scenarios() for line in scenario.finds if line.startswith(check)]
    found = {"warning" if line.endswith(" (warning)") else "error" for line in lines}
    if any(map(_warns, _reached(rule))):
        found.add("warning")
    return tuple(sorted(found))


@cache
def _warns(function: FunctionType) -> bool:
    return "Severity.WARNING" in getsource(function)


def _thresholds(rule: Rule) -> set[Threshold]:
    """Return the thresholds in the code of a rule, whether or not a recording needs them."""
    return {named for function in _reached(rule) for named in _named(function) if isinstance(named, Threshold)}


@cache
def _reached(function: object) -> set[FunctionType]:
    """Return the functions of checks and of the library that a function may call, including itself."""
    reached: set[FunctionType] = set()
    pending = [function]
    while pending:
        current = pending.pop()
        if isinstance(current, FunctionType) and current not in reached and _is_ours(current.__module__):
            reached.add(current)
            pending += _named(current)
    return reached


def _named(function: FunctionType) -> Iterator[object]:
    """Yield the values whose names a function contains: of its module, and of the modules in these names."""
    names = set(_names(function.__code__))
    spaces = [
        function.__globals__,
        *(vars(m) for m in map(function.__globals__.get, names) if isinstance(m, ModuleType)),
    ]
    return (space[name] for space in spaces for name in names & space.keys())


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)


def _is_ours(module: str) -> bool:
    return module.startswith(("kubevitals.", "checks."))
