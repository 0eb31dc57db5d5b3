"""The docstrings below assignments, which Python does not keep."""

import ast
from inspect import cleandoc, getsource
from itertools import pairwise
from types import ModuleType


def documented(owner: ModuleType | type) -> dict[str, str]:
    """Return the docstrings of the names that a module or a class assigns."""
    tree = ast.parse(getsource(owner))
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) and isinstance(owner, type) else tree.body
    texts = {}
    for assigned, following in pairwise(body):
        match assigned, following:
            case ast.Assign(targets=[ast.Name(id=name)]), ast.Expr(value=ast.Constant(value=str(text))):
                texts[name] = cleandoc(text).replace("``", "`")
    return texts
