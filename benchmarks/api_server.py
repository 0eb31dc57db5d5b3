"""An API server's own counters: requests and bytes by resource, and CPU time."""

import re
from collections import Counter
from typing import NamedTuple

from kubevitals.source.live import Live
from kubevitals.source.request import Request

_LINE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_READS = frozenset({"GET", "LIST"})


class Counts(NamedTuple):
    """Counters since the API server started.

    Attributes:
        requests: GET and LIST requests, by resource and subresource.
        sent: bytes of their answers.
        cpu: seconds of CPU.
    """

    requests: Counter[str]
    sent: Counter[str]
    cpu: float

    def since(self, earlier: "Counts") -> "Counts":
        """Return the difference from earlier counters."""
        return Counts(self.requests - earlier.requests, self.sent - earlier.sent, self.cpu - earlier.cpu)


def counts(live: Live) -> Counts:
    """Return the current counters."""
    requests: Counter[str] = Counter()
    sent: Counter[str] = Counter()
    cpu = 0.0
    for line in live.get(Request("/metrics")).body.decode().splitlines():
        if not (match := _LINE.fullmatch(line)):
            continue
        name, labels, value = match[1], dict(_LABEL.findall(match[2] or "")), float(match[3])
        if name == "process_cpu_seconds_total":
            cpu = value
        elif labels.get("verb") in _READS and "resource" in labels:
            what = "/".join(filter(None, (labels["resource"], labels.get("subresource", ""))))
            if name == "apiserver_request_total":
                requests[what] += int(value)
            elif name == "apiserver_response_sizes_sum":
                sent[what] += int(value)
    return Counts(requests, sent, cpu)
