"""Protocol Buffers for checking: messages that are known beforehand, and nothing else.

Stricter than a parser for use: what the schema does not name is refused, and so is a field that
should stand once and stands twice (parsers merge the two, not all alike). Work and memory are
bounded by the size of the data and by `MOST_FIELDS`.
Ref: Protocol Buffers documentation, Encoding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bwalloc.errors import BundleError

INTEGER, TEXT, DATA, REFUSED = "integer", "text", "data", "refused"
"""Kinds of fields besides messages, which go by their name; `DATA` stays where it lies."""
_VARINT, _DELIMITED = 0, 2
MOST_FIELDS = 100_000
"""Our largest graph, 16 rounds of message passing, has half of it."""
MOST_TEXT = 1000
_LAST_BYTE = 9
"""A varint of 64 bits has ten bytes."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a message; one that stands `many` times is a list, `why` is of one refused."""

    name: str
    kind: str
    many: bool = False
    why: str = ""


Schema = Mapping[str, Mapping[int, Field]]
"""Fields by number, by the name of their message; it must not recurse."""
Message = dict[str, Any]
"""What is there, by the name of the field; a list where a field may stand many times."""


class Reader:
    """Reads messages of one file.

    Args:
        schema: of every message that may occur.
        where: the file, as errors name it.
    """

    def __init__(self, schema: Schema, where: str) -> None:
        """Begin with nothing read."""
        self.schema, self.where = schema, where
        self.left = MOST_FIELDS

    def read(self, data: bytes | memoryview, kind: str, place: str = "") -> Message:
        """The message of `kind` that fills `data`.

        Raises:
            BundleError: It is cut off, has a field the schema lacks or refuses, or too many.
        """
        view, at = memoryview(data), 0
        fields = self.schema[kind]
        found: Message = {field.name: [] for field in fields.values() if field.many}
        while at < len(view):
            tag, at = self._varint(view, at, place)
            number, wire = tag >> 3, tag & 7
            if number not in fields:
                raise self._refusal(place, f"{kind} has no field {number} that is read here")
            field = fields[number]
            if field.kind == REFUSED:
                raise self._refusal(place, f"holds '{field.name}': {field.why}")
            if field.name in found and not field.many:
                raise self._refusal(place, f"'{field.name}' stands twice")
            inside = f"{place}.{field.name}" if place else field.name
            if field.many:
                inside = f"{inside}[{len(found[field.name])}]"
            values, at = self._values(view, at, wire, field, inside)
            if field.many:
                found[field.name] += values
            else:
                found[field.name] = values[0]
        return found

    def _values(
        self, view: memoryview, at: int, wire: int, field: Field, place: str
    ) -> tuple[list[Any], int]:
        """What a field holds at `at`, and where it ends."""
        self._count(place)
        if wire == _VARINT and field.kind == INTEGER:
            number, at = self._varint(view, at, place)
            return [_signed(number)], at
        if wire != _DELIMITED or (field.kind == INTEGER and not field.many):
            raise self._refusal(place, f"is written as wire type {wire}")
        size, at = self._varint(view, at, place)
        if size > len(view) - at:
            raise self._refusal(place, "is cut off")
        inside, end = view[at : at + size], at + size
        if field.kind == INTEGER:
            return self._packed(inside, place), end
        if field.kind == TEXT:
            return [self._text(inside, place)], end
        return [inside if field.kind == DATA else self.read(inside, field.kind, place)], end

    def _packed(self, view: memoryview, place: str) -> list[int]:
        numbers: list[int] = []
        at = 0
        while at < len(view):
            self._count(place)
            number, at = self._varint(view, at, place)
            numbers.append(_signed(number))
        return numbers

    def _varint(self, view: memoryview, at: int, place: str) -> tuple[int, int]:
        number = 0
        for index in range(_LAST_BYTE + 1):
            if at + index >= len(view):
                raise self._refusal(place, "is cut off")
            byte = view[at + index]
            number |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                if number >> 64:
                    break
                return number, at + index + 1
        raise self._refusal(place, "holds an integer of more than 64 bits")

    def _text(self, data: memoryview, place: str) -> str:
        if len(data) > MOST_TEXT:
            raise self._refusal(place, f"is text of more than {MOST_TEXT} bytes")
        try:
            return bytes(data).decode()
        except UnicodeDecodeError:
            raise self._refusal(place, "is no UTF-8") from None

    def _count(self, place: str) -> None:
        self.left -= 1
        if self.left < 0:
            raise self._refusal(place, f"comes after more than {MOST_FIELDS} fields")

    def _refusal(self, place: str, what: str) -> BundleError:
        return BundleError(f"{self.where}, {place or 'top level'}: {what}; export the run again.")


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number
