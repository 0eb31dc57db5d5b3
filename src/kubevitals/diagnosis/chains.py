"""How a fault spreads: from the symptom that nobody else suffers from, over what explains it, to the root."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from kubevitals.diagnosis.result import Link, ReportedFinding

CHAINS = 20
"""How many chains of one root are kept."""

STEPS = 20
"""How many links of one chain are kept."""


def chains(alike: Sequence[ReportedFinding], symptoms: Sequence[ReportedFinding]) -> list[list[Link]]:
    """Return the chains of a root that have more than two links, the longest first.

    Where two findings miss the same object, the one does not cause the other: both lead to that object.

    Args:
        alike: the findings of the root.
        symptoms: what they explain.
    """
    by_id = {finding.id: finding for finding in (*alike, *symptoms)}
    causes = {symptom.cause for symptom in symptoms}
    ends = (symptom for symptom in symptoms if symptom.id not in causes)
    found = (_links(_passed(end, by_id)) for end in ends)
    kept = sorted((links for links in found if len(links) > 2), key=lambda links: (-len(links), links[0].object))
    return list({tuple(link.object for link in links): links for links in kept}.values())[:CHAINS]


def _passed(end: ReportedFinding, by_id: Mapping[str, ReportedFinding]) -> list[ReportedFinding]:
    """Return the findings from a symptom to its root; groups of replicas could explain each other in a circle."""
    passed = {end.id: end}
    while (cause := by_id.get(end.cause)) and cause.id not in passed and len(passed) < STEPS:
        passed[cause.id] = end = cause
    return list(passed.values())


def _links(passed: Sequence[ReportedFinding]) -> list[Link]:
    links: list[Link] = []
    for finding, cause in zip_longest(passed, passed[1:]):
        if not links or links[-1].object != _object(finding):
            links.append(Link(_object(finding), finding.says.partition(": ")[0], finding.id))
        if missing := [name for name in finding.missing if not cause or name in cause.missing]:
            return [*links, Link(missing[0], "does not exist")]
    return links


def _object(finding: ReportedFinding) -> str:
    """Return what a finding is about: for pods, which come and go, their owner."""
    name = finding.places[0].object
    return finding.owner if finding.owner and name.startswith(_REPLICAS) else name


_REPLICAS = ("Pod/", "ReplicaSet/")
