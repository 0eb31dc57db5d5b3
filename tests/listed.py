"""Clusters whose lists can be seen, or not."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kubevitals import schema_pb2 as pb
from kubevitals.source.request import Answer, Request
from tests.fakes import list_bytes, status_json

Answering = Callable[[Request], Answer]


def pod(name: str = "web-0", uid: str = "", **fields: Any) -> pb.Pod:
    return pb.Pod(metadata=pb.ObjectMeta(name=name, namespace="shop", uid=uid, **fields))


def page(request: Request) -> str:
    """Return the continue token that a request was sent with."""
    return parse_qs(urlsplit(request.path).query).get("continue", [""])[0]


def pages(*script: tuple[str, Answer]) -> Answering:
    """Answer pages in this order, and only if they are asked for so."""
    left = list(script)

    def answer(request: Request) -> Answer:
        token, said = left.pop(0)
        assert page(request) == token
        return said

    return answer


def paged(name: str, token: str = "") -> Answer:
    return Answer(200, list_bytes([pod(name)], token))


EXPIRED = Answer(410, status_json("The provided continue parameter is too old"))
