"""Every check on clusters that are changed at random: none fails, and all reports can be made of what is found."""

from copy import deepcopy
from functools import cache
from random import Random
from typing import Any

import msgspec
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from kubevitals.diagnosis.assemble import assemble
from kubevitals.diagnosis.known_issues import KnownIssues
from kubevitals.diagnosis.run import Inputs, Run
from kubevitals.findings.explains import declared
from kubevitals.findings.finding import Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.reports.html.page import render
from kubevitals.reports.markdown import markdown
from kubevitals.reports.metrics import openmetrics
from kubevitals.source.request import Answer, Request
from scenarios.harness import MANIFESTS, RECORDINGS, check_modules, rules, verdicts
from scenarios.parsed import Parsed, parsed
from tests.findings import TODAY
from tests.mutations import LOGS, mutate

RECORDED = ("untouched-cluster", "node-disk-full", "cni-config-cut-off", MANIFESTS)
RULES = declared(check_modules().values())

CLUSTERS = settings.default.max_examples // 6  # type: ignore[union-attr]
"""Clusters that are tried: 1,000 with ``--hypothesis-profile=thorough``."""

CHANGES = 60
"""Changes of one cluster, at most."""


class Mutated(Parsed):
    """A recorded cluster, some of whose objects are changed."""

    def __init__(self, name: str, random: Random) -> None:
        recorded = parsed(RECORDINGS / f"{name}.recording")
        vars(self).update(vars(recorded))
        self._random = random
        self._lists: dict[str, Answer] = {}
        listings = {listing.path: listing for listing in Cluster.listings()}
        places: list[tuple[list[Any], int]] = []
        for path in self.paths:
            if listing := listings.get(path.partition("?")[0]):
                answer = recorded.get(Request(path, listing.schema))
                items = list(answer.page.items)
                self._lists[path] = answer._replace(page=answer.page._replace(items=items))
                places += [(items, place) for place in range(len(items))]
        for _ in range(random.randint(1, CHANGES)):
            items, place = random.choice(places)
            items[place] = deepcopy(items[place])
            mutate(items[place], random)

    def get(self, request: Request) -> Answer:
        """Return a changed list, some log, or else what was recorded."""
        if "/log?" in request.path:
            return Answer(200, self._random.choice(LOGS))
        return self._lists.get(request.path) or super().get(request)


@cache
def causes() -> frozenset[str]:
    return frozenset(cause for cause, _ in rules())


@settings(max_examples=CLUSTERS, phases=[Phase.generate])
@given(st.sampled_from(RECORDED), st.randoms(use_true_random=False))
def test_no_check_and_no_report_fails_on_any_cluster(name: str, random: Random) -> None:
    cluster = Cluster(Mutated(name, random), secret_names=True)
    run = Run(Inputs(cluster, KnownIssues([], TODAY), Severity.ERROR, causes(), rules=RULES), verdicts(cluster))
    report = assemble(run)
    page, summary, metrics = render(report), markdown(report), openmetrics(report)
    assert "<script>alert" not in page + summary.replace("\\<", "")
    assert not {"\x1b", "\u202e"} & {*page, *summary, *metrics}
    assert msgspec.json.decode(msgspec.json.encode(report), type=type(report)) == report
    cluster.close()
