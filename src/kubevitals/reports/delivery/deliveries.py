"""Delivers the result once the run is over and all its report files are written."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytest

from kubevitals.diagnosis.result import Report
from kubevitals.diagnosis.run import Run
from kubevitals.reports.delivery.alertmanager import alerts, post_alerts
from kubevitals.reports.delivery.notification import Notification, post_json
from kubevitals.reports.delivery.post import Address, Undelivered
from kubevitals.reports.delivery.slack import post_slack

FORMS: dict[str, Callable[[Report, Address, str], None]] = {
    "json": lambda report, address, docs_url: post_json(Notification.of(report, docs_url), address),
    "slack": lambda report, address, docs_url: post_slack(Notification.of(report, docs_url), address),
    "alertmanager": lambda report, address, docs_url: post_alerts(alerts(report, docs_url), address),
}
"""What posts a notification of a run, by the value of --notify."""


class Delivery(NamedTuple):
    """What is delivered, as the user asked for it, and how."""

    option: str
    deliver: Callable[[Report], None]


class Deliveries:
    """Hooks of a run whose result is delivered. What cannot be delivered is said, and fails nothing."""

    def __init__(self, run: Run, deliveries: Sequence[Delivery]) -> None:
        self._run, self._deliveries = run, deliveries

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Deliver to each server. This plugin is registered last, so that all files are written before."""
        if not (report := self._run.report):
            return
        for delivery in self._deliveries:
            try:
                delivery.deliver(report)
            except Exception as error:  # whatever it is, it must not cost the run its exit code and its reports
                self._run.remarks.append(f"{delivery.option}: not delivered: {_why(error)}")


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, Undelivered) else f"it cannot be sent ({type(error).__name__})"
