"""What a container's probe asks, and what it is answered."""

import re

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.container_probes import Told, timing
from kubevitals.text import clean

LATE = "no answer within {timeout} s"
ANSWERS = (
    (r"statuscode: (?P<code>\d+)", "HTTP {code}"),
    (r"deadline exceeded|i/o timeout|Client\.Timeout|^timeout: ", LATE),
    (r"connection refused", "connection refused"),
    (r"no route to host|network is unreachable", "no way to it"),
    (r"connection reset|EOF", "a broken connection"),
    (r'service unhealthy \(responded with "(?P<code>\w+)"\)', "gRPC {code}"),
    (r"does not implement the grpc health protocol", "no gRPC health service"),
)
"""What kubelets say of a failed probe, with what it means."""
COMMAND_ANSWERS = ((r"^command .{0,2000}timed out", LATE),)
"""Likewise of a command; anything else is what it wrote itself."""

GONE, SILENT = "the events with its answer are gone", "failure without output"
"""What stands for an answer that nobody knows."""


def asks(probe: pb.Probe) -> str:
    """Return what the probe asks; not a query or a command, which may hold credentials."""
    handler = probe.handler
    if handler.HasField("httpGet"):
        return f"GET {handler.httpGet.path.partition('?')[0] or '/'} on port {_port(handler.httpGet.port)}"
    if handler.HasField("tcpSocket"):
        return f"TCP connection to port {_port(handler.tcpSocket.port)}"
    return f"gRPC on port {handler.grpc.port}" if handler.HasField("grpc") else "a command"


def _port(port: pb.IntOrString) -> str:
    return port.strVal if port.type else str(port.intVal)


def answer(probe: pb.Probe, failed: Told | None) -> str:
    """Return what the probe was answered, as far as events still tell."""
    if not failed:
        return GONE
    for pattern, meaning in COMMAND_ANSWERS if probe.handler.HasField("exec") else ANSWERS:
        if match := re.search(pattern, failed.words, re.DOTALL):
            return meaning.format(timeout=timing(probe).timeout, **match.groupdict())
    return clean(failed.words, 200) or SILENT
