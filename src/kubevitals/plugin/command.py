"""The commands ``kubevitals`` and ``kubectl vitals``: pytest with the checks of the package, which names may select."""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from kubevitals import checks
from kubevitals.plugin.fleet_options import FOLDER
from kubevitals.version import __version__

CHECKS = Path(checks.__path__[0])
SETTINGS = Path(__file__).with_name("command.ini")

FIRST = ("-c", str(SETTINGS), f"--rootdir={CHECKS}", str(CHECKS))
"""What pytest is given before the arguments of the user."""

OF_FLEET = ("-c", str(SETTINGS), f"--rootdir={FOLDER}", str(FOLDER))
"""What pytest is given for `fleet DIR`, a roll-up over the findings files in a folder."""

_NAME = re.compile(r"[a-z0-9-]+(\[[a-z0-9-]+\])?")


class ByName:
    """Hooks of a run by command."""

    @pytest.hookimpl
    def pytest_addoption(self, parser: pytest.Parser) -> None:
        """Name the command in its help and its errors."""
        parser.prog = Path(sys.argv[0]).name

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Take arguments that are no files as names of checks."""
        names = [argument for argument in config.args if _NAME.fullmatch(argument) and not Path(argument).exists()]
        config.option.check += names
        config.args[:] = [argument for argument in config.args if argument not in names]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Show the checks' files without their folder, wherever the package is installed."""
        session.config.cwd_relative_nodeid = lambda nodeid: nodeid  # type: ignore[method-assign]
        if reporter := session.config.pluginmanager.getplugin("terminalreporter"):
            reporter.startpath = CHECKS


def _run(arguments: Sequence[str]) -> int:
    if arguments[:1] == ["fleet"]:
        return pytest.main([*OF_FLEET, *_named_folder(arguments[1:])])
    return pytest.main([*FIRST, *arguments], [ByName()])


def _named_folder(arguments: Sequence[str]) -> Sequence[str]:
    """Return the arguments of `fleet` with the folder as the option that it stands for."""
    if arguments and not arguments[0].startswith("-"):
        return [f"--findings-dir={arguments[0]}", *arguments[1:]]
    return arguments


def main() -> int:
    """Run the checks with the options of the command line, and return the exit code."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        sys.stdout.write(f"kubevitals {__version__}\n")
        return 0
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as head, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code
