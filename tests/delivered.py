"""A run after which there is much to tell, for tests of what is delivered."""

from datetime import date, timedelta

import msgspec

from kubevitals.diagnosis.history import History
from kubevitals.diagnosis.known_issues import KnownIssue
from kubevitals.diagnosis.result import ClusterInfo, Report
from kubevitals.errors import NotObserved
from kubevitals.findings.explains import SAME_NODE, Explains
from kubevitals.findings.finding import Replicas, Severity
from tests.fakes import NOW
from tests.findings import finding, report_of, verdict

DOCS = "https://docs.example/causes"
SECRET = "T0S3CRET"
HOSTILE = "<!channel> *a* <@U1> & `b` <http://evil|c>"
ACCEPTED = KnownIssue("net[gone]", "Pod/legacy/*", "kept for the auditors", date(9999, 1, 1))
HOUR = timedelta(hours=1)


def at_noon(report: Report) -> Report:
    """Return a report that ended when the tests' cluster was looked at."""
    return msgspec.structs.replace(report, finished=NOW, cluster=ClusterInfo("prod", "uid-1"), kubevitals="1.2.3")


def changed() -> Report:
    """Return a run after which one root is new, with a symptom, one is worse, and one of each other kind is there."""
    warning = {"severity": Severity.WARNING}
    before = report_of(
        verdict("pod[down]", finding("Pod/shop/worse", **warning), finding("Pod/shop/same"), finding("Pod/shop/gone")),
        verdict("node[down]", finding("Node/unseen")),
        verdict("net[gone]", finding("Pod/legacy/gone"), known=[ACCEPTED]),
    )
    now = report_of(
        verdict("pod[down]", finding("Pod/shop/worse"), finding("Pod/shop/same", says="is down")),
        verdict("node[down]", unseen=NotObserved("no")),
        verdict("disk[full]", finding("Node/a", says=HOSTILE, remedy="clean it", replicas=Replicas(1, 2))),
        verdict("net[gone]", finding("Pod/legacy/old"), finding("Pod/shop/web", node="a"), known=[ACCEPTED]),
        rules=[Explains(("disk",), SAME_NODE, ("net",))],
        history=History(before),
    )
    return at_noon(now)
