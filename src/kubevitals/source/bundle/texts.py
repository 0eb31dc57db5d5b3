"""The text of a file in a bundle, in pieces: its encoding, and whether it is JSON or YAML."""

import codecs
from collections.abc import Iterator
from itertools import chain
from typing import IO

from kubevitals.encoding.json_stream import json_parts
from kubevitals.encoding.parts import Damaged, Parts
from kubevitals.encoding.yaml_stream import yaml_parts

CHUNK = 1 << 20
"""Bytes that are read at once."""

SIZE = 4 << 30
"""Bytes of one file that are read. A list of 20,000 pods has 0.3 GB."""

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
"""Byte order marks: Windows PowerShell writes UTF-16 when kubectl's output is redirected to a file."""

_YAML_STARTS = ("apiVersion:", "---", "kind:", "items:", "- apiVersion:", "metadata:", "- kind:", "#", "- metadata:")


def texts(stream: IO[bytes]) -> Iterator[str]:
    """Yield the text of a file; bytes that are not in its encoding become U+FFFD.

    Raises:
        Damaged: the file is too large.
    """
    first = stream.read(CHUNK)
    encoding = next((name for mark, name in _MARKS if first.startswith(mark)), "utf-8")
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    piece, size = first, 0
    while piece:
        if (size := size + len(piece)) > SIZE:
            raise Damaged(f"the file is larger than {SIZE:,} bytes")
        if text := decoder.decode(piece):
            yield text
        piece = stream.read(CHUNK)


def parts_of(path: str, pieces: Iterator[str]) -> Parts | None:
    """Return the parts of a file in JSON or YAML; nothing if it seems to be something else.

    Raises:
        Damaged: while the parts are read: the text is cut off, or not valid.
    """
    first = next((piece for piece in pieces if piece.strip()), "")
    start = first.lstrip()[:40]
    pieces = chain([first], pieces)
    if start.startswith(("{", "[", "==== START logs for container")):
        return json_parts(pieces)
    if start.startswith(_YAML_STARTS) or (start and path.endswith((".yaml", ".yml"))):
        return yaml_parts(pieces)
    return None
