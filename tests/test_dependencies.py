"""What is imported is declared; what is installed is pinned by hash, and kubevitals itself comes from a clone."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_what_is_imported_is_declared() -> None:
    """Also what another dependency happens to bring; google.protobuf is a part of a package that others share."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["push"]]
    declared = {canonicalize_name(Requirement(line).name) for line in lines}
    files = [*(ROOT / "src/kubevitals").rglob("*.py"), *(ROOT / "checks").glob("*.py")]
    names = {name.partition(".")[0] for path in files for name in imported(path)}
    names -= {*sys.stdlib_module_names, "kubevitals", "google", "checks"}
    brought = packages_distributions()
    missing = {name for name in names if declared.isdisjoint(map(canonicalize_name, brought.get(name, [name])))}
    assert not missing


NEEDED_BY_SOME = {"cryptography", "kubernetes", "requests", "urllib3", "yaml"}
"""What only some runs need, and takes a third of the time in which a run starts."""


def test_what_only_some_runs_need_is_not_imported_before() -> None:
    options = ["-p", "no:cacheprovider", str(ROOT / "checks"), "--collect-only", "-qq"]
    code = f"import pytest, sys; pytest.main({options}); sys.exit(str(sorted({NEEDED_BY_SOME} & {{*sys.modules}})))"
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=False)
    assert b"test_disruption.py: " in told.stdout
    assert told.stderr.decode().strip() == "[]"


REQUIREMENTS = {path.stem: path.read_text() for path in (ROOT / "deploy/requirements").glob("*.txt")}


@pytest.mark.parametrize("name", ["run", "build"])
def test_what_the_image_and_the_examples_install_is_pinned_by_hash(name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    run = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["push"]]
    wanted = {"run": run, "build": project["build-system"]["requires"]}[name]
    entries = re.findall(
        r"^([\w.-]+)==(\S+)(.*(?:\n    --hash=sha256:[0-9a-f]{64}.*)+)", REQUIREMENTS[name], re.MULTILINE
    )
    pinned = {package: version for package, version, _ in entries}
    assert len(pinned) == len(re.findall(r"^\w", REQUIREMENTS[name], re.MULTILINE))
    for requirement in map(Requirement, wanted):
        assert pinned[requirement.name.lower()] in requirement.specifier


NAMES_OF_THIS_PROJECT = re.compile(
    r"""(?<!helm )\b(install|download|uvx|tool run|add)\b[^\n|&;#]*['"\s=]kubevitals\b(?![-/.]|=\{)"""
)
"""kubevitals, as the name of a package in an index."""

TEXTS = sorted(
    path
    for pattern in (
        "*.md",
        "*.toml",
        ".ci/*",
        *(f"{folder}/**/*" for folder in ("docs", "deploy", "src", "checks", "manual")),
    )
    for path in ROOT.glob(pattern)
    if path.is_file() and path.suffix in {"", ".md", ".toml", ".yaml", ".py", ".html", ".txt"}
)


def test_nothing_says_that_an_index_has_kubevitals() -> None:
    """It is not published: anybody could register that name."""
    assert len(TEXTS) > 100
    found = [
        (str(path.relative_to(ROOT)), match[0])
        for path in TEXTS
        for match in NAMES_OF_THIS_PROJECT.finditer(path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    "line", ["pip install kubevitals", "pip install 'kubevitals[push]'", "pip install -U kubevitals==0.1"]
)
def test_an_installation_from_an_index_is_noticed(line: str) -> None:
    assert NAMES_OF_THIS_PROJECT.search(line)
