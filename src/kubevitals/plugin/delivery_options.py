"""The options of what is delivered to servers, and of what these need to know about the run."""

import os
import re
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kubevitals.diagnosis.result import Report
from kubevitals.errors import Unusable
from kubevitals.input_files import require_readable
from kubevitals.plugin.option_group import Group
from kubevitals.reports.delivery import push
from kubevitals.reports.delivery.deliveries import FORMS, Delivery, notify
from kubevitals.reports.delivery.post import Address
from kubevitals.text import clean
from kubevitals.threshold import seconds

SHORTEST, LONGEST = 60, 366 * 86400
"""Seconds from one run to the next that a user may give."""

URL_SIZE = 10_000
"""Bytes of a file that has a URL."""


def add(group: Group) -> None:
    """Declare the options."""
    group.addoption(
        "--display-name",
        metavar="NAME",
        type=_name,
        help="the cluster's name in reports, metrics and notifications (default: the kubeconfig context)",
    )
    group.addoption(
        "--period",
        metavar="DURATION",
        default="1h",
        help="how often you start such a run; alerts end after two periods without one (default: 1h)",
    )
    group.addoption("--push", action="store_true", help="push metrics to the Pushgateway at $KUBEVITALS_PUSH_URL")
    group.addoption(
        "--notify",
        choices=list(FORMS),
        help="post what is new, worse and resolved to $KUBEVITALS_NOTIFY_URL: as JSON, to Slack, or to Alertmanager",
    )
    for option in ("--push", "--notify"):
        group.addoption(
            _file_option(option),
            metavar="PATH",
            type=Path,
            help=f"a file that has the URL for {option}, instead of ${_variable(option)}",
        )


def _file_option(option: str) -> str:
    return f"{option}-url-file"


def _variable(option: str) -> str:
    return f"KUBEVITALS_{option.strip('-').upper()}_URL"


def _name(text: str) -> str:
    """Return the name of a cluster.

    Raises:
        ArgumentTypeError: it is empty, too long, or has characters that a name should not have.
    """
    if not re.fullmatch(r"[\w.:@/-]{1,200}", text):
        raise ArgumentTypeError(f"{clean(text, 80)!r} is not a name: give letters, digits and any of . : @ / - _")
    return text


def period(config: pytest.Config) -> float:
    """Return the seconds from the start of a run to that of the next one.

    Raises:
        Unusable: it is not a duration, or not one of runs that are started regularly.
    """
    given = seconds("--period", config.getoption("period"))
    if not SHORTEST <= given <= LONGEST:
        raise Unusable("--period: give 1m to 366d")
    return given


def asked(option: str, config: pytest.Config) -> Any:
    """Return the value of an option that needs a URL.

    Raises:
        Unusable: only the URL is given.
    """
    value = config.getoption(option)
    if config.getoption(_file_option(option)) and not value:
        raise Unusable(f"{_file_option(option)} has the URL for {option}: add {option}, or omit it")
    return value


def deliveries(config: pytest.Config) -> list[Delivery[Report]]:
    """Return what is delivered once the run is over.

    Raises:
        Unusable: the URL of a server is missing or cannot be used, or a package is not installed.
    """
    chosen = []
    if asked("--push", config):
        if not push.is_possible():
            raise Unusable("--push needs the package prometheus-client: pip install prometheus-client")
        chosen.append(_push(_address("--push", config)))
    if how := notification(config):
        chosen.append(Delivery(how.option, lambda report: notify(report, *how)))
    return chosen


class Notify(NamedTuple):
    """How to notify: in which form, where, and where the pages of the causes are."""

    form: str
    address: Address
    docs_url: str

    @property
    def option(self) -> str:
        """How the user asked for it."""
        return f"--notify {self.form}"


def notification(config: pytest.Config) -> Notify | None:
    """Return how to notify, if that is asked for.

    Raises:
        Unusable: the URL is missing or cannot be used, or texts are not redacted.
    """
    form = asked("--notify", config)
    if form and config.getoption("no_redact"):
        raise Unusable("--notify sends texts to another server, and --no-redact keeps credentials in them: omit one")
    return Notify(form, _address("--notify", config), config.getoption("docs_url") or "") if form else None


def _push(address: Address) -> Delivery[Report]:
    return Delivery("--push", lambda report: push.push(report, address))


def _address(option: str, config: pytest.Config) -> Address:
    """Return where something is delivered. No error has a part of the URL.

    Raises:
        Unusable: there is no URL, or it cannot be used.
    """
    path: Path | None = config.getoption(_file_option(option))
    where = f"{_file_option(option)} {clean(str(path))}" if path else _variable(option)
    text = _content(path, where) if path else os.environ.get(_variable(option), "")
    if not text.strip():
        fault = "is empty" if path or _variable(option) in os.environ else "is not set"
        raise Unusable(f"{option}: {where} {fault}: it must have the URL" + ("" if path else _alternative(option)))
    try:
        return Address.of(text.strip())
    except ValueError as error:
        raise Unusable(f"{option}: the URL of {where} cannot be used: {error}") from None


def _alternative(option: str) -> str:
    return f", or {_file_option(option)} a file that has it"


def _content(path: Path, where: str) -> str:
    try:
        return require_readable(path, URL_SIZE).read_text("utf-8")
    except OSError as error:
        raise Unusable(f"{where} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise Unusable(f"{where} is not a text") from None
