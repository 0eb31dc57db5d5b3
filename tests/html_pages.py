"""HTML pages to look at, and what a browser finds on them."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
from selenium.webdriver import Chrome
from selenium.webdriver.support.wait import WebDriverWait

from kubevitals import schema_pb2 as pb
from kubevitals.diagnosis.history import History
from kubevitals.diagnosis.known_issues import KnownIssue
from kubevitals.diagnosis.result import Place, Report, ReportedFinding, Root
from kubevitals.errors import NotObserved
from kubevitals.findings.explains import SAME_NODE, Explains
from kubevitals.findings.finding import Replicas, Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.reports.html.adapter import taken_apart
from kubevitals.reports.html.page import FIRST, page
from kubevitals.source.recording import Recording
from kubevitals.source.request import Answer, Request
from tests.browser import DESKTOP, show
from tests.fakes import FakeSource, list_bytes
from tests.findings import finding, report_of, verdict
from tests.networks import node
from tests.runs import crashing

ATTACKS = (
    "<script>document.title='pwned'</script>",
    '"><img src=x onerror="document.title=\'pwned\'">',
    "'-document.title='pwned'-'",
    "</script><script>document.title='pwned'</script>",
    "</style><svg onload=\"document.title='pwned'\">",
    "</noscript><script>document.title='pwned'</script>",
    "javascript:document.title='pwned'",
    "{{ 7 * 7 }}${7 * 7}",
)

PYTEST = (
    '<html><head><title id="head-title">x</title><style type="text/css">p {color: red}</style></head>'
    '<body><h1 id="title">x</h1><p id="theirs"></p><script>window.pytestRan = true</script></body></html>'
)
"""A page of pytest-html, without what does not matter here."""

LONG = "recommendations-for-customers-who-have-seen-all-there-is-7c7d855d8f"

DOCSTRING = """A node is down.

Meaning:
    The kubelet is <silent>.

Impact:
    Its pods are `Unknown`.

Mitigation:
    Restart it.
"""


def incident() -> Report:
    """Return a report with everything in it: a chain, many alike, known and new ones, and more than are drawn first."""
    issue = KnownIssue("net[gone]", "Pod/legacy/*", "kept for the auditors", date(9999, 1, 1))
    before = report_of(
        verdict("disk[full]", finding("Node/gone")), verdict("crash[exit]", finding(f"Pod/team-1/{LONG}-1"))
    )
    down = finding("Node/worker-1", says="is down: no heartbeat", node="worker-1", evidence=["no <heartbeat> for 5m"])
    lost = finding("Pod/shop/web", node="worker-1", replicas=Replicas(3, 4), says="is lost with its node")
    crashes = [
        finding(f"Pod/team-{n % 7}/{LONG}-{n}", says=f"keeps crashing: exit code {n}", node=f"worker-{n % 5}")
        for n in range(FIRST + 50)
    ]
    return report_of(
        verdict("node[down]", down),
        verdict("net[gone]", lost, finding("Pod/legacy/old"), known=[issue]),
        verdict("claim[unbound]", *(finding(f"Claim/{namespace}/data") for namespace in "abcd")),
        verdict("crash[exit]", *crashes),
        verdict("disk[full]", finding("Node/fresh", severity=Severity.WARNING)),
        verdict("dns[dead]", unseen=NotObserved("forbidden: pods", "list pods")),
        rules=[Explains(("node",), SAME_NODE, ("net",))],
        history=History(before),
    )


INCIDENT = incident()
TOTAL = len(INCIDENT.roots)


def drawn(report: Report, path: Path) -> Path:
    path.write_text(page(report, taken_apart(PYTEST), {"node": DOCSTRING}, "https://docs.example"), "utf-8")
    return path


def recorded(path: Path, **lists: list[Any]) -> Path:
    """Write the recording of a cluster that has these objects."""
    answers: dict[str, Any] = {
        listing.path: Answer(200, list_bytes(lists.get(listing.name, []))) for listing in Cluster.listings()
    }
    recording = Recording(FakeSource(answers), path)
    for listing in Cluster.listings():
        recording.get(Request(f"{listing.path}?limit=1000&resourceVersion=0", listing.schema, listing.accept))
    for asked in ("/version", "/readyz?verbose"):
        recording.get(Request(asked))
    recording.close()
    return path


def attacking(path: Path) -> Path:
    """Write the recording of a cluster whose names and texts are attacks."""
    pods = [crashing(f"web-{attack}", attack, namespace=attack, on="worker-7") for attack in ATTACKS]
    nodes = [node(attack, "False", attack) for attack in ATTACKS]
    namespaces = [pb.Namespace(metadata=pb.ObjectMeta(name=attack)) for attack in ATTACKS]
    return recorded(path, pods=pods, nodes=nodes, namespaces=namespaces)


def very_many(count: int) -> Report:
    """Return a report with this many roots."""
    says = 'container "app" keeps crashing: exit code 1 (general error): cannot open its database'
    findings = [
        msgspec.structs.replace(
            INCIDENT.findings[0],
            id=f"{n:020x}",
            check="crash[exit]",
            namespace=f"team-{n % 80}",
            says=f"{says} {n}",
            remedy="fix what the log reports: the configuration, the database or the service it cannot reach",
            evidence=[f"{n}.{line}: cannot open /var/lib/app/{n}.db" for line in range(10)],
            places=[Place(f"Pod/team-{n % 80}/checkout-{n}-7c7d855d8f-{n:05x}", f"pool-{n % 300}")],
        )
        for n in range(count)
    ]
    return msgspec.structs.replace(INCIDENT, findings=findings, roots=list(map(_root, findings)), comparison=None)


def _root(finding: ReportedFinding) -> Root:
    return Root(finding.id, finding.check, finding.places[0].object, finding.says, Severity.ERROR, [], [])


def open_page(browser: Chrome, path: Path, width: int = DESKTOP, fragment: str = "", *, dark: bool = False) -> None:
    show(browser, width, dark=dark)
    browser.get("about:blank")
    browser.get(path.as_uri() + fragment)


def names(browser: Chrome) -> list[str]:
    """Return the objects of the root causes that are listed."""
    listed = "return [...document.querySelectorAll('#roots > .root')].map(row => row.querySelector('b').textContent)"
    return list(browser.execute_script(listed))


def wait_for(browser: Chrome, script: str) -> Any:
    """Return what a script returns, once that is true."""
    return WebDriverWait(browser, 10, poll_frequency=0.02).until(lambda b: b.execute_script(f"return {script}"))


def filtered(browser: Chrome, field: str, value: str) -> list[str]:
    """Set a field of the filter, and return what is listed."""
    browser.execute_script(
        "const field = document.forms.filter.elements[arguments[0]]; field.value = arguments[1];"
        "field.dispatchEvent(new Event('input', {bubbles: true}))",
        field,
        value,
    )
    return names(browser)


def requests(browser: Chrome) -> set[str]:
    """Return what was asked for since the last look, without the browser's own pages."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}
    return {url for url in asked if not url.startswith(("data:", "chrome:", "about:", "blob:"))}
