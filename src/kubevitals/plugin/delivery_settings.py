"""Reads the options of what is delivered to servers."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kubevitals.diagnosis.result import Report
from kubevitals.errors import Unusable
from kubevitals.input_files import require_readable
from kubevitals.plugin.delivery_options import file_option, variable
from kubevitals.reports.delivery import push
from kubevitals.reports.delivery.deliveries import Delivery, notify
from kubevitals.reports.delivery.post import Address
from kubevitals.text import clean
from kubevitals.threshold import seconds

SHORTEST, LONGEST = 60, 366 * 86400
"""Seconds from one run to the next that a user may give."""

URL_SIZE = 10_000
"""Bytes of a file that has a URL."""


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
    if config.getoption(file_option(option)) and not value:
        raise Unusable(f"{file_option(option)} has the URL for {option}: add {option}, or omit it")
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
    path: Path | None = config.getoption(file_option(option))
    where = f"{file_option(option)} {clean(str(path))}" if path else variable(option)
    text = _content(path, where) if path else os.environ.get(variable(option), "")
    if not text.strip():
        fault = "is empty" if path or variable(option) in os.environ else "is not set"
        raise Unusable(f"{option}: {where} {fault}: it must have the URL" + ("" if path else _alternative(option)))
    try:
        return Address.of(text.strip())
    except ValueError as error:
        raise Unusable(f"{option}: the URL of {where} cannot be used: {error}") from None


def _alternative(option: str) -> str:
    return f", or {file_option(option)} a file that has it"


def _content(path: Path, where: str) -> str:
    try:
        return require_readable(path, URL_SIZE).read_text("utf-8")
    except OSError as error:
        raise Unusable(f"{where} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise Unusable(f"{where} is not a text") from None
