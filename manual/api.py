"""Prints the interface for checks of one's own, from its docstrings: `python -m manual.api > docs/api.md`."""

import enum
import inspect
import re
import sys
from collections.abc import Iterator

import kubevitals
from kubevitals import BadCheck, NotApplicable
from kubevitals.inventory.listing import Listing
from manual.documented import documented

INTRODUCTION = """# The interface for checks, version {version}

What `from kubevitals import …` has, made by `manual/api.py` from its docstrings. [own-checks.md](own-checks.md) shows
how to use it, and says what you can rely on.
"""

ELSEWHERE = {
    "Time": "A time as Kubernetes' lists have it: `seconds` since 1970, 0 where it is not set, and `nanos`.",
    "schema_pb2": "The types of the objects in the lists of `Cluster`: `schema_pb2.Pod`, `schema_pb2.Node` … with the "
    "fields of [schema.proto](../src/kubevitals/schema.proto), which are called as Kubernetes calls them.",
}
"""What has no docstring, since it is generated."""


GIVEN = ("Cluster", "Fields", "Resource")
"""Classes that checks never make an object of."""

LEFT_OUT = ("node_events", "listings", "prefetch", "close", "get")
"""What only kubevitals itself uses."""


def main() -> Iterator[str]:
    """Yield the page's lines."""
    yield INTRODUCTION.format(version=kubevitals.API_VERSION)
    for name in sorted(kubevitals.__all__, key=str.lower):
        value = getattr(kubevitals, name)
        yield f"## {name}\n"
        if name in ELSEWHERE:
            yield f"{ELSEWHERE[name]}\n"
        elif inspect.isclass(value) or inspect.isfunction(value):
            yield from described(name, value)
        else:
            yield f"{constants()[name]}\n"


def described(name: str, value: object) -> Iterator[str]:
    """Yield a class or a function, with its signature, its docstring, and what a class has."""
    if name not in GIVEN and not (inspect.isclass(value) and issubclass(value, enum.Enum | BadCheck | NotApplicable)):
        yield f"```python\n{name}{signature(value)}\n```\n"
    yield f"{text(inspect.getdoc(value) or '')}\n"
    if inspect.isclass(value):
        documents = documented(value)
        own = {key: member for key, member in vars(value).items() if not key.startswith("_") and key not in LEFT_OUT}
        lines = [line for key, member in own.items() for line in has(key, member, documents)]
        yield from [*lines, ""] if lines else []


def has(name: str, member: object, documents: dict[str, str]) -> Iterator[str]:
    """Yield what a class's member is, as an item of a list."""
    if isinstance(member, Listing):
        yield f"- `{name}`: all `{member.schema.__name__}` ({member.resource})"
    elif isinstance(member, classmethod | staticmethod):
        yield f"- `{name}{signature(member.__func__)}`: {first_line(member.__func__)}"
    elif inspect.isfunction(member):
        yield f"- `{name}{signature(member)}`: {first_line(member)}"
    elif isinstance(member, property) or hasattr(member, "func"):
        yield f"- `{name}`: {first_line(getattr(member, 'fget', None) or member.func)}"
    elif name in documents:
        yield f"- `{name}`: {documents[name]}"


def signature(value: object) -> str:
    """Return the parameters, without the modules of types."""
    modules = r"\b(?!schema_pb2)(?:[a-z_0-9]+\.)+(?=[A-Z~]|schema_pb2)|~"
    return re.sub(modules, "", str(inspect.signature(value)))  # type: ignore[arg-type]


def text(document: str) -> str:
    """Return a docstring in Markdown: its sections are lists."""
    lines = []
    for line in document.replace("``", "`").splitlines():
        is_entry = line.startswith("    ") and not line.startswith("     ")
        lines.append(f"- {line.strip()}" if is_entry else f"  {line.strip()}" if line.startswith("     ") else line)
        if line in ("Args:", "Attributes:", "Raises:"):
            lines.append("")
    return "\n".join(lines)


def first_line(value: object) -> str:
    """Return the first line of a docstring."""
    return (inspect.getdoc(value) or "").partition("\n\n")[0].replace("\n", " ").replace("``", "`")


def constants() -> dict[str, str]:
    """Return what stands below the constants of all modules."""
    found: dict[str, str] = {}
    for module in [module for name, module in sys.modules.items() if name.split(".")[0] == "kubevitals"]:
        if module.__file__ and not module.__file__.endswith("_pb2.py"):
            found |= documented(module)
    return found


if __name__ == "__main__":
    sys.stdout.write("\n".join(main()))
