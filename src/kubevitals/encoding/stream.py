"""Length-delimited protobuf, read as it arrives: only the current field is held in memory."""

from collections.abc import Iterable

from google.protobuf.message import DecodeError

_LENGTH_DELIMITED = 2
_VARINT = 10
"""Bytes of the longest number."""


class Stream:
    """Bytes that arrive in chunks.

    Attributes:
        position: the number of bytes that were read.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._held, self._at = b"", 0
        self.position = 0

    def peek(self, size: int) -> bytes:
        """Return the next bytes without consuming them; fewer at the end."""
        have = len(self._held) - self._at
        if have < size:
            self._fetch(size, have)
        return self._held[self._at : self._at + size]

    def read(self, size: int) -> bytes:
        """Return the next bytes.

        Raises:
            EOFError: there are fewer.
        """
        piece = self.peek(size)
        if len(piece) < size:
            raise EOFError("it is cut off")
        self._at += size
        self.position += size
        return piece

    def field(self) -> tuple[int, int]:
        """Read the beginning of a length-delimited field; return its tag and its length.

        Raises:
            DecodeError: the next field is not length-delimited.
            EOFError: there is no next field.
        """
        head = self.peek(2 * _VARINT)
        tag, at = _varint_in(head, 0)
        if tag & 7 != _LENGTH_DELIMITED:
            raise DecodeError(f"unexpected field {tag}")
        size, at = _varint_in(head, at)
        self._at += at
        self.position += at
        return tag, size

    def _fetch(self, size: int, have: int) -> None:
        parts = [self._held[self._at :]]
        while have < size and (chunk := next(self._chunks, b"")):
            parts.append(chunk)
            have += len(chunk)
        self._held, self._at = b"".join(parts), 0


def _varint_in(data: bytes, at: int) -> tuple[int, int]:
    """Return a number as protobuf writes it, and where it ends."""
    value = shift = 0
    for byte in data[at : at + _VARINT]:
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
    if shift == 7 * _VARINT:
        raise DecodeError("a number does not end")
    raise EOFError("it is cut off")


def delimited(tag: int, content: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the pieces of a length-delimited field."""
    return varint(tag), varint(len(content)), content


def varint(value: int) -> bytes:
    """Return a number as protobuf writes it."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
