"""Values in YAML, as far as they have a form in JSON: texts, numbers, lists and mappings."""

import re
from typing import Any

import yaml

from kubevitals.encoding.parts import Damaged

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The parser of libyaml, or the slow one where PyYAML was installed without it."""

_NUMBER = re.compile(r"[+-]?(?:\d{1,30}|\d{0,30}\.\d{1,30}(?:[eE][+-]?\d{1,3})?|\d{1,30}[eE][+-]?\d{1,3})")
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}


def yaml_value(text: str) -> Any:
    """Return the first value in a text; nothing if there is none.

    Times stay texts, as in JSON. Words such as `yes` are texts, as what writes Kubernetes' objects means them.

    Raises:
        Damaged: it is not YAML, or a part refers to another one, by which a few lines can become a terabyte.
    """
    try:
        return _built(yaml.parse(text, Loader=_Loader))
    except (yaml.YAMLError, ValueError) as error:
        raise Damaged(f"not valid YAML: {' '.join(str(error).split())[:200]}") from error


def _built(events: Any) -> Any:
    root: list[Any] = []
    stack: list[Any] = [root]
    keys: list[Any] = [None]
    for event in events:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            _put(stack, keys, _scalar(event))
        elif kind in _OPENING:
            value = _OPENING[kind]()
            _put(stack, keys, value)
            stack.append(value)
            keys.append(None)
        elif kind in _CLOSING:
            stack.pop()
            keys.pop()
        elif kind is yaml.AliasEvent:
            raise Damaged("a part refers to another part (*)")
    return root[0] if root else None


_OPENING: dict[Any, Any] = {yaml.MappingStartEvent: dict, yaml.SequenceStartEvent: list}
_CLOSING = frozenset({yaml.MappingEndEvent, yaml.SequenceEndEvent})


def _put(stack: list[Any], keys: list[Any], value: Any) -> None:
    """Put a value into the innermost list or mapping; in a mapping, keys and values come in turn."""
    within, key = stack[-1], keys[-1]
    if type(within) is list:
        within.append(value)
    elif key is None:
        keys[-1] = value if isinstance(value, str) else str(value)
    else:
        within[key] = value
        keys[-1] = None


def _scalar(event: Any) -> Any:
    text = event.value
    if not event.implicit[0]:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if (text[0].isdigit() or text[0] in "+-.") and _NUMBER.fullmatch(text):
        return int(text) if text.lstrip("+-").isdecimal() else float(text)
    return text
