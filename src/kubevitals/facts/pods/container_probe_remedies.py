"""What helps against container probes that fail: the fields to set, and to which values."""

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.container_probe_events import ReplyKind
from kubevitals.facts.pods.container_probes import ProbeKind, Timing, timing

ROOMY = Timing(delay=0, period=10, timeout=5, failures=3)
"""What remedies propose: Kubernetes' defaults, with five times the time to answer."""

STARTS = 30
"""The failureThreshold of the startupProbe in Kubernetes' own documentation."""


def remedy_for(kind: ProbeKind, probe: pb.Probe, reply: ReplyKind) -> str:
    """Return what to do about the answer of a container probe."""
    match reply:
        case ReplyKind.LATE:
            timeout = max(ROOMY.timeout, 2 * timing(probe).timeout)
            return f"set {kind.field}.timeoutSeconds to {timeout}, or find out why the answer is slow"
        case ReplyKind.CLIENT_ERROR:
            return f"correct {kind.field}.httpGet.path, or what the application answers there"
        case ReplyKind.REFUSED:
            return f"correct the port of {kind.field}, or let the application listen on it"
        case ReplyKind.NO_COMMAND:
            return f"correct the command of {kind.field}, or add it to the image"
        case ReplyKind.EXPIRED | ReplyKind.NO_OUTPUT:
            return f"run by hand in the container what {kind.field} does, to see why it fails"
        case _:
            return f"fix what {kind.field} reports"


def more_time(kind: ProbeKind, container: pb.Container) -> str:
    """Return which fields to set if the probe is right, and the container needs more time."""
    liveness, startup = timing(container.livenessProbe), timing(container.startupProbe)
    if kind == ProbeKind.STARTUP:
        count = max(STARTS, 2 * startup.failures)
        return f"if it needs longer than {startup.start} s to start, set startupProbe.failureThreshold to {count}"
    if container.HasField("startupProbe"):
        return f"if it recovers by itself, set livenessProbe.failureThreshold to {2 * liveness.failures}"
    return (
        f"if it needs longer than {liveness.start} s to start, give it a startupProbe with periodSeconds "
        f"{liveness.period} and failureThreshold {max(STARTS, 2 * liveness.failures)}"
    )
