"""A right that is missing is never read as health; what deploy/ grants is compared in test_deploy.py."""

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.inventory import Cluster
from kubevitals.listing import Listing
from kubevitals.objects import Ref
from kubevitals.probe.plan import Plan
from kubevitals.recording import Snapshot
from kubevitals.source import Answer, Request
from kubevitals.verdict import Outcome, Verdict
from scenarios.harness import MANIFESTS, RECORDINGS, verdicts

RECORDING = RECORDINGS / f"{MANIFESTS}.recording"
LISTINGS = [listing for listing in Cluster.listings() if listing.schema is not pb.Secret]


class Denying:
    """A recorded cluster that refuses one list."""

    def __init__(self, listing: Listing[pb.Pod]) -> None:
        self._recorded = Snapshot(RECORDING)
        self._listing = listing
        self.context, self.now = self._recorded.context, self._recorded.now

    def get(self, request: Request) -> Answer:
        if request.path.partition("?")[0] == self._listing.path:
            return Answer(403, b'{"message": "forbidden by the test"}')
        return self._recorded.get(request)

    def probe(self, plan: Plan | None) -> bytes:
        return self._recorded.probe(plan)

    def close(self) -> None:
        pass


@pytest.mark.parametrize("listing", LISTINGS, ids=lambda listing: listing.name)
def test_a_missing_right_is_never_read_as_health(listing: Listing[pb.Pod]) -> None:
    """On a cluster with faults of every kind, whatever is no longer found is not observed, with the missing right."""
    whole = {(v.cause, v.variant): _objects(v) for v in verdicts(Cluster(Snapshot(RECORDING)))}
    for verdict in verdicts(Cluster(Denying(listing))):
        if whole[verdict.cause, verdict.variant] - _objects(verdict):
            assert verdict.unseen is not None, verdict
            assert verdict.unseen.right == f"list {listing.resource}"
            assert verdict.outcome in (Outcome.NOT_OBSERVED, Outcome.BROKEN)
        assert _objects(verdict) <= set().union(*whole.values())


def _objects(verdict: Verdict) -> set[Ref]:
    return {finding.obj for finding in verdict.findings}
