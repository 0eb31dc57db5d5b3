"""Delivers the result once the run is over and all its report files are written."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, NamedTuple, TypeVar

import pytest

from kubevitals.diagnosis.result import Report
from kubevitals.diagnosis.run import Run
from kubevitals.reports.delivery.alertmanager import Alert, alerts, post_alerts
from kubevitals.reports.delivery.form import Form
from kubevitals.reports.delivery.notification import Notification, post_json
from kubevitals.reports.delivery.post import Address, Undelivered
from kubevitals.reports.delivery.slack import post_slack

R = TypeVar("R")

POST: dict[str, Callable[[Notification, Iterable[Alert], Address], None]] = {
    Form.JSON: lambda told, _, address: post_json(told, address),
    Form.SLACK: lambda told, _, address: post_slack(told, address),
    Form.ALERTMANAGER: lambda _, alerts_, address: post_alerts(alerts_, address),
}
"""What posts a notification of each form: either what is told, or all alerts."""


def notify(report: Report, form: str, address: Address, docs_url: str) -> None:
    """Post what is told about a run.

    Raises:
        Undelivered: it could not be delivered.
    """
    POST[form](Notification.of(report, docs_url), alerts(report, docs_url), address)


class Delivery(NamedTuple, Generic[R]):
    """What is delivered of a result, as the user asked for it, and how."""

    option: str
    deliver: Callable[[R], None]


def deliver(deliveries: Iterable[Delivery[R]], result: R) -> Iterator[str]:
    """Deliver a result to each server, and yield what could not be delivered: it fails nothing."""
    for delivery in deliveries:
        try:
            delivery.deliver(result)
        except Exception as error:  # whatever it is, it must not cost the run its exit code and its reports
            yield f"{delivery.option}: not delivered: {_why(error)}"


class Deliveries:
    """Hooks of a run whose result is delivered."""

    def __init__(self, run: Run, deliveries: Sequence[Delivery[Report]]) -> None:
        self._run, self._deliveries = run, deliveries

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Deliver to each server. This plugin is registered last, so that all files are written before."""
        if report := self._run.report:
            self._run.remarks += deliver(self._deliveries, report)


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, Undelivered) else f"it cannot be sent ({type(error).__name__})"
