"""Hostile texts are planted wherever a cluster has some, and every output is read with a parser of its format."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from kubernetes.utils.retry import Backoff  # type: ignore[attr-defined]
from markdown_it import MarkdownIt
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from kubevitals import schema_pb2 as pb
from kubevitals.diagnosis.history import read
from kubevitals.encoding.protobuf import _lenient
from kubevitals.source import live
from tests.fakes import (
    CREATED,
    ApiServer,
    Handler,
    Reply,
    envelope,
    item_bytes,
    list_bytes,
    status_json,
    write_kubeconfig,
)
from tests.networks import node
from tests.runs import Run, crashing

pytest_plugins = ["pytester"]

HOSTILE = {
    "harmless": b"some text",
    "terminal": b"\x1b[2J\x1b]0;owned\x07\x08\x9b\xc2\x9b2J\r\x00",
    "lines": b"a\n::error::owned\r\n::add-mask::b\n\n# heading\n\xe2\x80\xa8c",
    "bidirectional": "\u202egnp.exe\u2066\u200b\u2069\ufeff\U000e0041".encode(),
    "HTML": b"\"'><script>alert(1)</script></td></script></style><img src=x onerror=alert(1)><base href=//evil>",
    "templates and XML": b"{{7*7}}{% raw %}${7*7}<!--]]></property><x/>&lol;&#x1b;&#0;\xef\xbf\xbe\x0b",
    "formula": b'=HYPERLINK("http://evil/","x")',
    "command": b"@SUM(1+1)*cmd|' /C calc'!A0 $(reboot); `reboot` & 'x' \"y\"",
    "option": b"--help",
    "Markdown": b"[x](javascript:alert(1)) ![x](http://evil/) `c` | a |\n| --- | <http://evil/> https://evil/ @team #1",
    "label of a metric": b'"} 1\nevil{x="\\',
    "very long": b"x" * 20_000,
    "many lines": b"x\n" * 10_000,
    "very long to escape": b"\x1b<|" * 6_666,
    "no UTF-8": b"\xff\xfe\xc3\x28 \xed\xa0\x80 \xf0\x9f",
}

BOUND = 600_000
"""Bytes of any output, or characters of it."""


def hostile(message: Message, text: bytes, *names: str) -> bytes:
    """Return the bytes of a message that has the text in every field for texts that is empty, and in those named."""
    made = _lenient(message.DESCRIPTOR.full_name).FromString(message.SerializeToString())
    _fill(made, text, frozenset(names))
    return item_bytes(made.SerializeToString())


def _fill(message: Any, text: bytes, names: frozenset[str]) -> None:
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.type == FieldDescriptor.TYPE_BYTES and not field.is_repeated:
            if not value or field.name in names:
                setattr(message, field.name, text)
        elif (
            field.message_type and field.message_type.name.endswith("Entry") and field.name in ("labels", "annotations")
        ):
            value.add(key=text, value=text)
            value.add(key=b"app", value=text)
        elif field.message_type:
            for child in value if field.is_repeated else [value] if message.HasField(field.name) else []:
                _fill(child, text, names)


def silent_node(text: bytes) -> bytes:
    told = pb.NodeCondition(type="Ready", status="False", lastTransitionTime=CREATED)
    disk = pb.NodeCondition(type="DiskPressure", status="True", lastTransitionTime=CREATED)
    return hostile(
        pb.Node(
            metadata=pb.ObjectMeta(creationTimestamp=CREATED),
            status=pb.NodeStatus(conditions=[told, disk], nodeInfo=pb.NodeSystemInfo()),
        ),
        text,
    )


def objects(text: bytes, number: int) -> dict[str, list[bytes]]:
    """Return lists with something wrong in each, told in the hostile text; the number tells one pod from the others."""
    about = pb.ObjectReference(kind="Pod", namespace="shop")
    pod = crashing("web-0", "")
    pod.metadata.namespace, pod.metadata.name = "", ""
    source = pb.ConfigMapVolumeSource(localObjectReference=pb.LocalObjectReference())
    spec = pb.PodSpec(volumes=[pb.Volume(volumeSource=pb.VolumeSource(configMap=source))])
    deployment = pb.Deployment(
        metadata=pb.ObjectMeta(namespace="shop"),
        spec=pb.DeploymentSpec(replicas=1, template=pb.PodTemplateSpec(spec=spec)),
    )
    claim = pb.PersistentVolumeClaim(
        metadata=pb.AnnotatedMeta(creationTimestamp=CREATED), status=pb.PersistentVolumeClaimStatus(phase="Lost")
    )
    return {
        "/api/v1/nodes": [silent_node(text)],
        "/api/v1/pods": [hostile(pod, text, "message"), hostile(crashing(f"web-{number}"), text, "message", "reason")],
        "/api/v1/events": [
            hostile(pb.Event(involvedObject=about, type="Warning", firstTimestamp=CREATED), text),
            hostile(pb.Event(involvedObject=pb.ObjectReference(), type="Warning"), text),
        ],
        "/api/v1/persistentvolumeclaims": [hostile(claim, text)],
        "/apis/apps/v1/deployments": [hostile(deployment, text)],
        "/apis/storage.k8s.io/v1/storageclasses": [hostile(pb.StorageClass(metadata=pb.AnnotatedMeta()), text)],
    }


def serve(server: ApiServer, *texts: bytes) -> None:
    """Have every object and every log hold one of the texts."""
    lists: dict[str, list[bytes]] = {"/api/v1/nodes": [item_bytes(node("worker").SerializeToString())]}
    for number, text in enumerate(texts):
        for path, items in objects(text, number).items():
            lists.setdefault(path, []).extend(items)
    for path, items in lists.items():
        server.script(path, Reply(envelope(b"".join(items))))
    told = [text.decode("utf-8", "replace") for text in texts]
    pods = [{"podRef": {"name": words, "namespace": words}, "containers": [{"name": words}]} for words in told]
    stats = json.dumps({"node": {}, "pods": pods}).encode()
    server.script("/api/v1/nodes/worker/proxy/stats/summary", Reply(stats))

    def otherwise(handler: Handler) -> None:
        path = urlsplit(handler.path).path
        pod = re.search(r"/web-(\d+)/log$", path)
        log = texts[int(pod[1]) if pod else 0]
        handler.send(Reply(log if path.endswith("/log") else list_bytes()))

    server.otherwise = otherwise


def refuse(server: ApiServer, text: bytes) -> None:
    """Have the server and a kubelet say the text where they answer about themselves, and where they refuse."""
    words = text.decode("utf-8", "replace")
    server.script("/version", Reply(json.dumps({"gitVersion": words}).encode()))
    server.script("/apis/apps/v1/daemonsets", Reply(status_json(words), 403))
    server.script("/apis/batch/v1/jobs", Reply(text, 500))
    server.script("/api/v1/nodes/worker/proxy/configz", Reply(text))


class Outputs(NamedTuple):
    """All that a run writes."""

    terminal: str
    html: str
    findings: str
    junit: str
    markdown: str
    metrics: str


FILES = ("reports/health.html", "findings.json", "junit.xml", "summary.md", "metrics.prom")


@pytest.fixture
def outputs(run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outputs]:
    """Runs the checks in a workflow with all reports, and returns them."""
    monkeypatch.setattr(live, "_BACKOFF", Backoff(steps=2, duration=0.001, factor=1.0, jitter=0.0))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")

    def outputs(*options: str, checks: Sequence[str] = ()) -> Outputs:
        result = run("-v", "--markdown=summary.md", "--metrics=metrics.prom", *options, checks=checks)
        assert result.ret == 1
        return Outputs(result.stdout.str() + result.stderr.str(), *(Path(file).read_text("utf-8") for file in FILES))

    return outputs


def test_nothing_that_objects_and_logs_say_acts_anywhere(
    outputs: Callable[..., Outputs], server: ApiServer, kubeconfig: Path
) -> None:
    """One cluster has all texts, and its name some of them: what leaks is in what fails."""
    serve(server, *HOSTILE.values())
    name = b"".join(HOSTILE[text] for text in ("terminal", "lines", "HTML", "templates and XML"))
    write_kubeconfig(kubeconfig, server.address, name.decode("utf-8", "replace"))
    outputs("--record=cluster.recording", "-k", "not volume")
    Path("findings.json").rename("earlier.json")
    is_harmless(outputs("--compare=earlier.json"))
    assert Path("cluster.recording").stat().st_size < BOUND
    outputs("--snapshot=cluster.recording", "-k", "not volume")
    assert read(Path("findings.json")).findings == read(Path("earlier.json")).findings


TOGETHER = (
    ("harmless", "terminal", "lines"),
    ("formula", "HTML", "templates and XML"),
    ("command", "bidirectional"),
    ("option", "label of a metric"),
    ("Markdown", "no UTF-8"),
    ("very long",),
    ("many lines",),
    ("very long to escape",),
)
"""Texts that fit into what is shown of one text; what acts only at the beginning is the first."""


@pytest.mark.parametrize("kinds", TOGETHER, ids=" and ".join)
def test_nothing_that_a_server_says_acts_anywhere(
    outputs: Callable[..., Outputs], server: ApiServer, kubeconfig: Path, kinds: Sequence[str]
) -> None:
    """These checks read what is refused, and what a kubelet says of itself."""
    text = b" ".join(HOSTILE[kind] for kind in kinds)
    checks = ("api-server", "jobs", "kube-proxy", "node-limits", "node-ready", "startup-error")
    serve(server, text)
    refuse(server, text)
    write_kubeconfig(kubeconfig, server.address, text[:5_000].decode("utf-8", "replace"))
    is_harmless(outputs("--record=cluster.recording", checks=checks))
    Path("findings.json").rename("earlier.json")
    is_harmless(outputs("--snapshot=cluster.recording", checks=checks))
    assert Path("cluster.recording").stat().st_size < BOUND
    assert read(Path("findings.json")).findings == read(Path("earlier.json")).findings


def test_every_hostile_text_is_said() -> None:
    assert sorted(kind for kinds in TOGETHER for kind in kinds) == sorted(HOSTILE)


def is_harmless(told: Outputs) -> None:
    """Read every output with a parser of its format."""
    for check in (_terminal, _page, _findings, _junit, _markdown, _metrics):
        check(told)


PYTEST_HTML = "https://pypi.python.org/pypi/pytest-html"
"""The one link that leads elsewhere."""


class Elements(HTMLParser):
    """The elements of a page with the names of their attributes, where links lead to, and the cells of tables.

    Attributes:
        data: what a script makes more of the page of.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[tuple[str, str]] = set()
        self.links: set[str] = set()
        self.scripts = 0
        self.data: list[str] = []
        self.cells: list[str] = []
        self._in_cell = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.found |= {(tag, ""), *((tag, name) for name, _ in attrs)}
        self.links |= {value or "" for name, value in attrs if name in ("href", "src", "action")}
        self.data += [value or "" for name, value in attrs if name == "data-jsonblob"]
        self._in_cell = tag in ("td", "th")
        self.cells += [""] if self._in_cell else []

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.cells[-1] += data


def _terminal(outputs: Outputs) -> None:
    lines = outputs.terminal.splitlines()
    assert [line for line in outputs.terminal.split("\n") if not line.isprintable()] == []
    assert max(map(len, lines)) < 10_000
    assert len(outputs.terminal) < BOUND
    token = next(line for line in lines if line.startswith("::stop-commands::")).removeprefix("::stop-commands::")
    ours = (
        rf"stop-commands::{token}|{token}::",
        r"(?:error|warning) title=[\w%,.-]+(?:\[[\w-]+\])?::.*",
        r"group::(?:error|warning): .*|endgroup::",
    )
    allowed = re.compile(f"::(?:{'|'.join(ours)})")
    assert [line for line in lines if line.startswith("::") and not allowed.fullmatch(line)] == []


def _page(outputs: Outputs) -> None:
    page = Elements(outputs.html)
    assert page.scripts == 2
    assert not {name for _, name in page.found if name.startswith("on")}
    assert not {"iframe", "object", "embed", "base"} & {tag for tag, _ in page.found}
    assert {link for link in page.links if not link.startswith(("#", "data:image/", "data:application/gzip;"))} <= {
        "",
        PYTEST_HTML,
    }
    assert [cell for cell in page.cells if cell.strip().startswith(("=", "+", "-", "@"))] == []
    assert "\x1b" not in outputs.html
    (data,) = page.data
    made = [Elements(text) for text in _texts(json.loads(data))]
    assert {found for part in made for found in part.found} <= {("p", ""), ("td", ""), ("td", "class")}
    assert len(outputs.html) < BOUND


def _findings(outputs: Outputs) -> None:
    found = read(Path("findings.json"))
    assert len(found.findings) >= 4
    texts = list(_texts(json.loads(outputs.findings)))
    assert [text for text in texts if not text.isprintable()] == []
    assert max(map(len, texts)) < 3_000
    assert len(outputs.findings) < BOUND


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            yield from _texts([*value.keys(), *value.values()])
        case list():
            for each in value:
                yield from _texts(each)


def _junit(outputs: Outputs) -> None:
    root = ET.fromstring(outputs.junit)
    items = read(Path("findings.json")).items
    assert len(root.findall(".//testcase")) == len(items)
    suites, cases = {"testsuites", "testsuite", "properties", "property"}, {"testcase", "failure", "skipped"}
    assert {element.tag for element in root.iter()} <= suites | cases | {"system-out", "system-err"}
    assert len(outputs.junit) < BOUND


def _markdown(outputs: Outputs) -> None:
    rendered = MarkdownIt("gfm-like", {"linkify": False}).render(outputs.markdown)
    page = Elements(rendered)
    texts, tables = {"h2", "h3", "p", "strong", "ul", "ol", "li", "br"}, {"table", "thead", "tbody", "tr", "th", "td"}
    assert {tag for tag, _ in page.found} <= texts | tables
    assert page.links == set()
    assert not re.search(r"(?<![\\\w])(?:https?://|@\w|#\d)", outputs.markdown)
    assert [cell for cell in page.cells if cell.strip().startswith(("=", "+", "-", "@"))] == []
    assert len(outputs.markdown) < BOUND


def _metrics(outputs: Outputs) -> None:
    families = list(text_string_to_metric_families(outputs.metrics))
    assert {family.name.partition("_")[0] for family in families} == {"kubevitals"}
    labels = [value for family in families for sample in family.samples for value in sample.labels.values()]
    assert [value for value in labels if not value.isprintable() or len(value) > 1_000] == []
    assert len(outputs.metrics) < BOUND
