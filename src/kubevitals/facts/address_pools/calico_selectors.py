"""Selectors of Calico: ``rack == "a" && !has(gpu)`` (projectcalico/calico libcalico-go/lib/selector)."""

import re
from collections.abc import Callable, Mapping

Labels = Mapping[str, str]
Matches = Callable[[Labels], bool]

LENGTH, TOKENS = 4096, 120
"""Characters and tokens of a selector that is read. A deeper nesting would exhaust Python's stack."""

_TOKEN = re.compile(
    r"[ \t]*(?:"
    r"(?P<call>(?:has|all|global)\([ \t]*[\w./-]{0,512}[ \t]*\))"
    r"|\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)'"
    r"|(?P<op>&&|\|\||==|!=|[!(){},]|not[ \t]+in(?![\w./-])|starts[ \t]+with|ends[ \t]+with)"
    r"|(?P<word>[\w./-]{1,512}))",
    re.ASCII,
)

_COMPARISONS: Mapping[str, Callable[[str | None, str], bool]] = {
    "==": lambda value, literal: value == literal,
    "!=": lambda value, literal: value != literal,
    "contains": lambda value, literal: value is not None and literal in value,
    "starts with": lambda value, literal: value is not None and value.startswith(literal),
    "ends with": lambda value, literal: value is not None and value.endswith(literal),
}
"""A label that is missing has the value None: it differs from every literal."""


def parsed(selector: str) -> Matches:
    """Return the function that a selector stands for; an empty one matches everything.

    Raises:
        ValueError: it is not a selector of Calico, or too long to be read.
    """
    tokens = _tokens(selector)
    if not tokens:
        return lambda _: True
    tokens.reverse()
    matches = _either(tokens)
    if tokens:
        raise ValueError(f"unexpected {tokens[-1][1]!r}")
    return matches


def _tokens(selector: str) -> list[tuple[str, str]]:
    """Return the kinds and texts of the tokens; words between texts count as operators."""
    found: list[tuple[str, str]] = []
    text, at = selector.rstrip(" \t"), 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or len(found) == TOKENS or len(text) > LENGTH:
            raise ValueError("it cannot be read")
        kind = str(match.lastgroup)
        words = " ".join(match[kind].split()) if kind == "op" else match[kind]
        found.append(("text" if kind in ("double", "single") else kind, words))
        at = match.end()
    return found


def _take(tokens: list[tuple[str, str]], kind: str, *texts: str) -> str:
    """Take the next token, which must be of this kind, and one of these texts if there are any."""
    if not tokens or tokens[-1][0] != kind or (texts and tokens[-1][1] not in texts):
        raise ValueError(f"{' or '.join(texts) or kind} expected")
    return tokens.pop()[1]


def _either(tokens: list[tuple[str, str]]) -> Matches:
    terms = [_all(tokens)]
    while tokens and tokens[-1] == ("op", "||"):
        tokens.pop()
        terms.append(_all(tokens))
    return lambda labels: any(term(labels) for term in terms)


def _all(tokens: list[tuple[str, str]]) -> Matches:
    terms = [_term(tokens)]
    while tokens and tokens[-1] == ("op", "&&"):
        tokens.pop()
        terms.append(_term(tokens))
    return lambda labels: all(term(labels) for term in terms)


def _term(tokens: list[tuple[str, str]]) -> Matches:
    negated = False
    while tokens and tokens[-1] == ("op", "!"):
        tokens.pop()
        negated = not negated
    matches = _operation(tokens)
    return (lambda labels: not matches(labels)) if negated else matches


def _operation(tokens: list[tuple[str, str]]) -> Matches:
    if not tokens:
        raise ValueError("it ends too early")
    kind, text = tokens.pop()
    if (kind, text) == ("op", "("):
        matches = _either(tokens)
        _take(tokens, "op", ")")
        return matches
    if kind == "call":
        name, _, label = text.rstrip(") \t").partition("(")
        label = label.strip(" \t")
        return (lambda labels: label in labels) if name == "has" else (lambda _: name == "all")
    if kind != "word":
        raise ValueError(f"unexpected {text!r}")
    return _comparison(text, tokens)


def _comparison(label: str, tokens: list[tuple[str, str]]) -> Matches:
    operator = tokens.pop()[1] if tokens else ""
    if operator in ("in", "not in"):
        values = _values(tokens)
        return lambda labels: (labels.get(label) in values) is (operator == "in")
    if operator not in _COMPARISONS:
        raise ValueError("an operator is missing")
    compare, literal = _COMPARISONS[operator], _take(tokens, "text")
    return lambda labels: compare(labels.get(label), literal)


def _values(tokens: list[tuple[str, str]]) -> set[str]:
    _take(tokens, "op", "{")
    values: set[str] = set()
    while tokens and tokens[-1][0] == "text":
        values.add(tokens.pop()[1])
        if tokens and tokens[-1] == ("op", ","):
            tokens.pop()
    _take(tokens, "op", "}")
    return values
