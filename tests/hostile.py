"""Clusters whose objects, logs and refusals hold hostile texts."""

import json
import re
from typing import Any
from urllib.parse import urlsplit

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.protobuf import _lenient
from tests.fake_server import ApiServer, Handler, Reply
from tests.fakes import CREATED, envelope, item_bytes, list_bytes, status_json
from tests.networks import node
from tests.runs import crashing

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


def hostile_item(message: Message, text: bytes, *names: str) -> bytes:
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
    return hostile_item(
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
        "/api/v1/pods": [
            hostile_item(pod, text, "message"),
            hostile_item(crashing(f"web-{number}"), text, "message", "reason"),
        ],
        "/api/v1/events": [
            hostile_item(pb.Event(involvedObject=about, type="Warning", firstTimestamp=CREATED), text),
            hostile_item(pb.Event(involvedObject=pb.ObjectReference(), type="Warning"), text),
        ],
        "/api/v1/persistentvolumeclaims": [hostile_item(claim, text)],
        "/apis/apps/v1/deployments": [hostile_item(deployment, text)],
        "/apis/storage.k8s.io/v1/storageclasses": [hostile_item(pb.StorageClass(metadata=pb.AnnotatedMeta()), text)],
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
