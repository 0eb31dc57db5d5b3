"""Plants each credential of a table in each place where a cluster may have some, and looks for it in the recording."""

import gzip
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.declared import Metadata, Resource
from kubevitals.source.recording import Recording
from kubevitals.source.request import PROTOBUF, Answer, Request
from tests.credentials import CREDENTIALS
from tests.fakes import FakeSource, list_bytes, status_bytes, status_json


class Secretive(Resource, frozen=True):
    """A kind of object that a check declares."""

    metadata: Metadata = Metadata()
    note: str = ""


def places(text: str) -> Mapping[Request, Answer]:
    """Return what is answered where: objects, refusals, logs and other texts that contain the text."""
    waiting = pb.ContainerState(waiting=pb.ContainerStateWaiting(reason=text, message=text))
    ended = pb.ContainerState(terminated=pb.ContainerStateTerminated(reason=text, message=text))
    status = pb.ContainerStatus(name="app", state=waiting, lastState=ended)
    ready = pb.PodCondition(type="Ready", reason=text, message=text)
    named = pb.ObjectMeta(name="web-0")
    objects = [
        pb.Pod(
            metadata=named,
            status=pb.PodStatus(reason=text, message=text, conditions=[ready], containerStatuses=[status]),
        ),
        pb.Event(metadata=named, reason=text, message=text),
        pb.Node(
            metadata=named, status=pb.NodeStatus(conditions=[pb.NodeCondition(type="Ready", reason=text, message=text)])
        ),
    ]
    declared = {"items": [{"metadata": {"name": "x", "labels": {"note": text}}, "note": text}]}
    answered = {
        Request(f"/api/v1/{type(obj).__name__.lower()}s", type(obj), PROTOBUF): Answer(200, list_bytes([obj]))
        for obj in objects
    }
    return answered | {
        Request("/api/v1/services", pb.Service): Answer(403, status_bytes(text)),
        Request("/api/v1/endpoints", pb.Service): Answer(500, status_json(text)),
        Request("/apis/x/v1/y", Secretive): Answer(200, json.dumps(declared).encode()),
        Request("/readyz"): Answer(500, text.encode()),
        Request("/api/v1/namespaces/shop/pods/web-0/log"): Answer(200, f"starting\n{text}\nended\n".encode()),
    }


def leaks() -> Iterator[str]:
    """Yield for each credential in each place where it leaks, or an empty text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cluster.recording"
        for text, secret in CREDENTIALS:
            for request, answer in places(text).items():
                recording = Recording(FakeSource({request.path: answer}), path)
                recording.get(request)
                recording.close()
                content = gzip.decompress(path.read_bytes()).decode("utf-8", "replace")
                yield f"{request.path}: {text}" if secret in content else ""
