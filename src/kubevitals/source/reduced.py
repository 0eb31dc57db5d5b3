"""Answers as recordings keep them: only what is read of them, and redacted."""

import re
from typing import Any

import msgspec

from kubevitals.encoding.declared import Resource, redacted_resource
from kubevitals.encoding.free_texts import redact_texts
from kubevitals.encoding.protobuf import Page, encode_status
from kubevitals.redaction import redact
from kubevitals.source.request import Answer, Request


def reduced(request: Request, answer: Answer) -> Answer:
    """Return an answer as it is recorded."""
    if request.lines and answer.status == 200:
        return answer._replace(body=_reduced_text(answer.body, request.lines))
    if request.json:
        return answer._replace(body=_reduced_json(answer.body, request.json))
    if request.schema and answer.status == 200:
        return answer._replace(page=_redacted(answer.page))
    if request.schema:
        return answer._replace(body=encode_status(answer.body))
    return answer._replace(body=redact(answer.body.decode("utf-8", "replace")).encode())


def _redacted(page: Page) -> Page:
    if page.items and isinstance(page.items[0], Resource):
        return page._replace(items=[redacted_resource(item) for item in page.items])
    for item in page.items:
        redact_texts(item)
    return page


def _reduced_text(body: bytes, lines: str) -> bytes:
    """Return the lines of a text that are read, redacted."""
    text = body.decode("utf-8", "replace")
    return redact("\n".join(line for line in text.splitlines() if re.match(lines, line))).encode()


def _reduced_json(body: bytes, decoder: msgspec.json.Decoder[Any]) -> bytes:
    """Return the parts of a JSON answer that are read; a refusal is only redacted."""
    try:
        return msgspec.json.encode(decoder.decode(body))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return redact(body.decode("utf-8", "replace")).encode()
