"""What stands below assignments, which Python itself forgets."""

import ast
from inspect import cleandoc, getsource
from itertools import pairwise
from types import ModuleType


def documented(owner: ModuleType | type) -> dict[str, str]:
    """Return the docstrings of the names that a module or a class assigns."""
    made = ast.parse(getsource(owner))
    body = made.body[0].body if isinstance(made.body[0], ast.ClassDef) and isinstance(owner, type) else made.body
    found = {}
    for assigned, following in pairwise(body):
        match assigned, following:
            case ast.Assign(targets=[ast.Name(id=name)]), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = cleandoc(text).replace("``", "`")
    return found
