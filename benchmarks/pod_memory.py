"""Measures the memory of a pod: ``python -m benchmarks.pod_memory``.

Four ways are compared, each in its own process: as the pod arrives, reduced, as lists keep messages, and as they
keep pods that share what they have in common.
"""

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from google.protobuf.message import Message

from benchmarks.made_up import made_up_pods
from benchmarks.runs import process
from kubevitals import schema_pb2 as pb
from kubevitals.encoding.kept import reduce
from kubevitals.encoding.protobuf import MAGIC, decode_list
from tests.fakes import item_bytes, proto_head

PODS = 12_000


def as_it_comes(raw: Sequence[bytes]) -> list[Message]:
    """Keep each pod as the API server sends it, including unknown fields."""
    return [pb.Pod.FromString(one) for one in raw]


def reduced(raw: Sequence[bytes]) -> list[Message]:
    """Keep the fields that checks read, each pod in its own memory."""
    return [pb.Pod.FromString(_reduced(one)) for one in raw]


def listed(raw: Sequence[bytes]) -> list[Message]:
    """Keep pods as lists do: reduced, and many in one block of memory."""
    return [*decode_list(_list(raw), pb.Pod)[1]]


def shared(raw: Sequence[bytes]) -> list[Message]:
    """Keep pods as runs do that write no recording: ready ones share what they have in common."""
    return [*decode_list(_list(raw), pb.Pod, shared=True)[1]]


WAYS: tuple[Callable[[Sequence[bytes]], list[Message]], ...] = (as_it_comes, reduced, listed, shared)


def main() -> None:
    """Print the memory of a pod for each way, or measure one way, with that many pods."""
    if not sys.argv[1:]:
        for way in WAYS:
            sys.stdout.write(process("-m", "benchmarks.pod_memory", way.__name__).said)
        return
    way = next(way for way in WAYS if way.__name__ == sys.argv[1])
    raw = list(made_up_pods(int(sys.argv[2]) if sys.argv[2:] else PODS))
    gc.collect()
    before = _resident()
    kept = way(raw)
    gc.collect()
    sys.stdout.write(f"{way.__name__:12} {(_resident() - before) / len(kept) / 1000:5.1f} KB a pod\n")


def _list(raw: Sequence[bytes]) -> Iterator[bytes]:
    """Yield a list in pieces, as it arrives."""
    yield MAGIC + proto_head(pb.Envelope.RAW_FIELD_NUMBER, sum(len(item_bytes(one)) for one in raw))
    yield from map(item_bytes, raw)


def _reduced(raw: bytes) -> bytes:
    pod = pb.Pod.FromString(raw)
    reduce(pod)
    return pod.SerializeToString()


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


if __name__ == "__main__":
    main()
