"""Lookups that the probe made, sorted by who was asked and who asked, and which end is to blame where they failed."""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping

from kubevitals.facts.network.reach import reached
from kubevitals.inventory.probed import ProbeResults
from kubevitals.probe.report import Lookup, ProbeReport, Target, Through

_REFUSED = re.compile(r"\b(?:SERVFAIL|NXDOMAIN|REFUSED|NOTIMP|FORMERR)\b")
"""Answers of a name server that was reached (RFC 1035, section 4.1.1)."""

ByNode = Mapping[str, list[Lookup]]
"""Lookups by the node that they came from."""


def lookups(report: ProbeReport, through: Through, *, outside: bool = False) -> list[Lookup]:
    """Return a report's lookups that went this way, of names in the cluster or outside of it."""
    return [lookup for lookup in report.lookups if lookup.through is through and lookup.outside is outside]


def fails(asked: Collection[Lookup]) -> bool:
    """Return whether something was looked up and no address came, ever."""
    return bool(asked) and not any(lookup.ok for lookup in asked)


def refused(asked: Collection[Lookup]) -> bool:
    """Return whether the name server was reached and said itself that it has no address."""
    return fails(asked) and any(_REFUSED.search(lookup.said) for lookup in asked)


def told(lookup: Lookup) -> str:
    """Return a lookup and what came of it, as evidence."""
    came = f"answered {lookup.answered} of {lookup.tries} times" if lookup.ok else f"{lookup.said or 'no answer'}"
    return f"{lookup.name} at {lookup.pod or lookup.server}: {came}"


def by_pod(found: ProbeResults, *, outside: bool = False) -> Mapping[str, ByNode]:
    """Return the lookups at each DNS pod, by the pod and by the node that they came from."""
    asked: dict[str, dict[str, list[Lookup]]] = defaultdict(lambda: defaultdict(list))
    for report in found.of("pod"):
        for lookup in lookups(report, Through.POD, outside=outside):
            asked[lookup.pod][report.node].append(lookup)
    return asked


def deaf(found: ProbeResults) -> set[str]:
    """Return the nodes that are to blame themselves when no DNS pod answers them.

    None of several pods does, or none of the pods' peers on other nodes either, while the pods answer other nodes.
    """
    answering = {pod for pod, nodes in by_pod(found).items() if any(not fails(asked) for asked in nodes.values())}
    return {report.node for report in found.of("pod") if _is_deaf(report, answering)}


def _is_deaf(report: ProbeReport, answering: Collection[str]) -> bool:
    asked = lookups(report, Through.POD)
    pods = {lookup.pod for lookup in asked if lookup.pod in answering}
    return fails(asked) and bool(pods) and (len(pods) > 1 or not reaches_others(report))


def reaches_others(report: ProbeReport) -> bool:
    """Return whether a probe pod on some other node answered this one."""
    return any(reach.ok and reach.node != report.node for reach in reached(report, Target.PEER))
