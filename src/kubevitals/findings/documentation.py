"""The documentation of a cause: the docstring of its check file."""

import re
from inspect import cleandoc
from typing import NamedTuple


class Documentation(NamedTuple):
    """The documentation of a cause.

    Attributes:
        title: the first sentence.
        sections: the text of each section, such as ``Meaning``, in its lines.
    """

    title: str
    sections: dict[str, str]


def documentation(docstring: str) -> Documentation:
    """Return the parts of a docstring."""
    title, *sections = re.split(r"^([A-Z]\w+):\n", cleandoc(docstring), flags=re.MULTILINE)
    texts = {head: cleandoc(f"\n{text}") for head, text in zip(sections[::2], sections[1::2], strict=True)}
    return Documentation(title.strip(), texts)
