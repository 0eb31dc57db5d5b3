"""Length-delimited protobuf, read as it arrives: only the current field is held in memory."""

from collections.abc import Iterable

from google.protobuf.message import DecodeError

_LENGTH_DELIMITED = 2
_LONGEST = 63
"""Bits by which the last byte of a varint is shifted."""


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
        tag = self._varint()
        if tag & 7 != _LENGTH_DELIMITED:
            raise DecodeError(f"unexpected field {tag}")
        return tag, self._varint()

    def _fetch(self, size: int, have: int) -> None:
        parts = [self._held[self._at :]]
        while have < size and (chunk := next(self._chunks, b"")):
            parts.append(chunk)
            have += len(chunk)
        self._held, self._at = b"".join(parts), 0

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift > _LONGEST:
                raise DecodeError("a number does not end")
        return value | byte << shift

    def _byte(self) -> int:
        if self._at == len(self._held):
            return self.read(1)[0]
        self._at += 1
        self.position += 1
        return self._held[self._at - 1]


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
