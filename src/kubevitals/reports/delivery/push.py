"""Pushes the metrics to a Pushgateway, as prometheus-client does it."""

from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from kubevitals.diagnosis.result import Report
from kubevitals.reports.delivery.post import TIMEOUT, Address, send
from kubevitals.reports.metrics import openmetrics

if TYPE_CHECKING:
    from prometheus_client import Metric

JOB = "kubevitals"
"""The label `job` of all metrics that are pushed."""


def is_possible() -> bool:
    """Return whether prometheus-client is installed."""
    return find_spec("prometheus_client") is not None


def push(report: Report, address: Address) -> None:
    """Replace the metrics of the cluster by those of this run.

    Raises:
        Undelivered: they could not be delivered.
    """
    from prometheus_client import push_to_gateway

    def handler(
        url: str, method: str, timeout: float | None, headers: Sequence[tuple[str, str]], data: bytes
    ) -> Callable[[], None]:
        del timeout
        return lambda: send(method, url, data, dict(headers) | address.credentials)

    key = {"cluster": report.cluster.context}
    push_to_gateway(address.url, JOB, _Metrics(report), key, TIMEOUT, handler)


class _Metrics:
    """The metrics of a run as prometheus-client collects them."""

    def __init__(self, report: Report) -> None:
        self._text = openmetrics(report)

    def collect(self) -> Iterable["Metric"]:
        """Return the metrics."""
        from prometheus_client.parser import text_string_to_metric_families

        return text_string_to_metric_families(self._text)
