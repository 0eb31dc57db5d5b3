"""The probe's lookups by name server and by node, and which end is at fault where they fail."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from kubevitals.facts.network.reach import reached
from kubevitals.inventory.probed import ProbeResults
from kubevitals.probe.report import ABSENT, Lookup, ProbeReport, Target, Through

_REFUSED = re.compile(r"\b(?:SERVFAIL|NXDOMAIN|REFUSED|NOTIMP|FORMERR)\b")
"""Answers of a name server that was reached (RFC 1035, section 4.1.1)."""

NAME_ERRORS = (
    "no such host|name or service not known|name resolution|could not resolve host|name does not resolve"
    "|bad address|eai_again|enotfound|unknownhostexception"
)
"""How programs report that a lookup failed: Go, glibc, curl, musl, busybox, Node.js, Java."""

ByNode = Mapping[str, list[Lookup]]
"""Lookups by the node that they came from."""


def lookups(report: ProbeReport, through: Through, *, outside: bool = False) -> list[Lookup]:
    """Return the lookups of a report that went this way, of names in the cluster or outside; without sampled names."""
    return [
        lookup
        for lookup in report.lookups
        if lookup.through is through and lookup.outside is outside and not lookup.sample
    ]


def fails(tried: Collection[Lookup]) -> bool:
    """Return whether there were lookups and none of them succeeded."""
    return bool(tried) and not any(lookup.ok for lookup in tried)


def refused(tried: Collection[Lookup]) -> bool:
    """Return whether the lookups failed because the name server answered with an error."""
    return fails(tried) and any(_REFUSED.search(lookup.said) for lookup in tried)


def lookup_line(lookup: Lookup) -> str:
    """Return a lookup and its result, as evidence."""
    answered = f"answered {lookup.answered} of {lookup.tries} times"
    result = answered if lookup.ok else lookup.said or "no answer"
    return f"{lookup.name} at {lookup.pod or lookup.server}: {result}"


def by_pod(results: ProbeResults, *, outside: bool = False) -> Mapping[str, ByNode]:
    """Return the lookups at each DNS pod, by the pod and by the node that they came from."""
    lookups_at: dict[str, dict[str, list[Lookup]]] = defaultdict(lambda: defaultdict(list))
    for report in results.of("pod"):
        for lookup in lookups(report, Through.POD, outside=outside):
            lookups_at[lookup.pod][report.node].append(lookup)
    return lookups_at


def cut_off_nodes(results: ProbeResults) -> set[str]:
    """Return the nodes that are at fault themselves if no DNS pod answers them.

    These are nodes that no DNS pod answers, although the pods answer other nodes. If only one DNS pod answers other
    nodes, no probe pod on another node answers them either.
    """
    answering = {pod for pod, nodes in by_pod(results).items() if any(not fails(tried) for tried in nodes.values())}
    return {report.node for report in results.of("pod") if _is_cut_off(report, answering)}


def _is_cut_off(report: ProbeReport, answering: Collection[str]) -> bool:
    tried = lookups(report, Through.POD)
    pods = {lookup.pod for lookup in tried if lookup.pod in answering}
    return fails(tried) and bool(pods) and (len(pods) > 1 or not reaches_others(report))


def reaches_others(report: ProbeReport) -> bool:
    """Return whether a probe pod on some other node answered this one."""
    return any(reach.ok and reach.node != report.node for reach in reached(report, Target.PEER))


def resolves_only_own(report: ProbeReport) -> bool:
    """Return whether a node gets the cluster's names, but no outside name, from the Service or from any DNS pod."""
    outside = [lookup for lookup in report.lookups if lookup.outside and lookup.through is not Through.RESOLVER]
    return fails(outside) and any(lookup.ok for lookup in lookups(report, Through.SERVICE))


def outside_is_known(results: ProbeResults) -> bool:
    """Return whether DNS should resolve outside names: nodes' own name servers do, or the user has given a name."""
    by_nodes = [lookup for r in results.of("host") for lookup in lookups(r, Through.RESOLVER, outside=True)]
    by_service = [lookup for r in results.of("pod") for lookup in lookups(r, Through.SERVICE, outside=True)]
    return any(lookup.ok for lookup in by_nodes) or any(lookup.name != ABSENT for lookup in by_service)


def by_nodes_resolver(results: ProbeResults) -> Iterator[str]:
    """Yield, as evidence, what the nodes' own name servers answer to an outside name."""
    for report in results.of("host"):
        for lookup in lookups(report, Through.RESOLVER, outside=True)[:1]:
            yield f"by the name server of {report.node} itself: {lookup_line(lookup)}"
