"""Refuses options that are misspelt or have no value, in one line: pytest's own messages have four."""

import re
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any, NoReturn

import pytest

from kubevitals.plugin import options
from kubevitals.plugin.option_group import group_of
from kubevitals.text import clean, near_name

_OF_ARGPARSE = re.compile(r"argument (?P<option>\S+): (?P<fault>.*)", re.DOTALL)
NO_VALUE = "expected one argument"
"""What argparse says about an option without a value, or with one that looks like an option: ``--later -1h``."""


class _Ours(ArgumentParser):
    """The options of kubevitals, without those of pytest and its other plugins."""

    def __init__(self) -> None:
        super().__init__(add_help=False, allow_abbrev=False)
        self.names: list[str] = []
        options.declare(self)
        options.add_kubeconfig(self)

    def addoption(self, *names: str, **attributes: Any) -> None:
        """Declare an option, as pytest's parsers do."""
        self.names += names
        self.add_argument(*names, **attributes)

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        found = _OF_ARGPARSE.fullmatch(message)
        option, fault = (found["option"], found["fault"]) if found else ("", message)
        if fault == NO_VALUE:
            fault = f"give a value; one that begins with - is written {option}=VALUE"
        raise pytest.UsageError(f"{option}: {clean(fault)}" if option else clean(fault))


def refuse_unparsable(arguments: Sequence[str]) -> None:
    """Refuse options of kubevitals with a value that they cannot have, or without one.

    Raises:
        UsageError: there is such an option.
    """
    _Ours().parse_known_args(list(arguments))


def refuse_misspelt(arguments: Sequence[str], parser: pytest.Parser) -> None:
    """Refuse unknown options that resemble one of kubevitals; pytest refuses all others.

    `parser` knows all options, also those of other plugins.

    Raises:
        UsageError: there is such an option.
    """
    names = _Ours().names
    for argument in parser.parse_known_and_unknown_args(arguments)[1]:
        name = argument.partition("=")[0]
        if near := near_name(name, names):
            raise pytest.UsageError(f"there is no option {clean(name)}{near}")


def declare_kubeconfig(config: pytest.Config, parser: pytest.Parser) -> None:
    """Declare --kubeconfig, unless another plugin has an option of this name: that of pytest-kind means the same."""
    if not hasattr(config.known_args_namespace, "kubeconfig"):
        options.add_kubeconfig(group_of(parser))
