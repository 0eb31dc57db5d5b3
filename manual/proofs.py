"""How the variants of a cause are proven: by scenarios on a real kind cluster, by tests with built objects, or both."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from kubevitals.findings.check_names import check_name
from manual.links import REPOSITORY
from manual.relations import module_of
from scenarios.harness import RECORDINGS, Scenario, rules, scenarios

Tests = Mapping[str, list[str]]
"""The names of test functions, by the path of their file in the repository."""


def is_recorded(scenario: Scenario) -> bool:
    """Return whether the scenario has run on kind, so that there is a recording of it."""
    return (RECORDINGS / f"{scenario.recording}.recording").exists()


def on_kind(cause: str, variant: str) -> list[Scenario]:
    """Return the scenarios that have run on kind and find a variant."""
    check = f"{check_name(cause, variant)} "
    return [
        scenario
        for scenario in scenarios()
        if is_recorded(scenario) and any(line.startswith(check) for line in scenario.finds)
    ]


def with_built_objects(cause: str, *variants: str) -> Tests:
    """Return the tests that apply the rules of these variants to built objects."""
    module = module_of(cause)
    names = {rule.__name__ for (of, variant), (_, rule) in rules().items() if of == cause and variant in variants}
    tests = {path: _using(path, module, names) for path in _files().get(module, ())}
    return {f"tests/{path.name}": functions for path, functions in tests.items() if functions}


@cache
def _files() -> Mapping[str, list[Path]]:
    """Return the test files that import something from the module of a check, by that module's name."""
    files: dict[str, list[Path]] = defaultdict(list)
    for path in sorted((REPOSITORY / "tests").glob("test_*.py")):
        for module in {module for module, _, _ in _imports(_parsed(path))}:
            files[module].append(path)
    return files


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _imports(tree: ast.Module) -> Iterator[tuple[str, str, str]]:
    """Yield what a test file imports from checks: the module, the name there, and the name in the test file."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("checks."):
            for alias in node.names:
                yield str(node.module).removeprefix("checks."), alias.name, alias.asname or alias.name


def _using(path: Path, module: str, rules_: set[str]) -> list[str]:
    """Return the tests of a file that use one of the rules, directly or through other names of the file."""
    tree = _parsed(path)
    using = {local for of, name, local in _imports(tree) if of == module and name in rules_}
    definitions = {name: _names(node) for node in tree.body for name in _defined(node)}
    while new := {name for name, names in definitions.items() if names & using} - using:
        using |= new
    return [name for name in definitions if name in using and name.startswith("test_")]


def _defined(node: ast.stmt) -> list[str]:
    """Return the names that a statement at the top of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _names(node: ast.stmt) -> set[str]:
    """Return all names in a statement, including the parameters, which may be fixtures."""
    nodes = list(ast.walk(node))
    names = {inner.id for inner in nodes if isinstance(inner, ast.Name)}
    return names | {inner.arg for inner in nodes if isinstance(inner, ast.arg)}


def in_words(test: str) -> str:
    """Return the name of a test as words."""
    return test.removeprefix("test_").replace("_", " ")
