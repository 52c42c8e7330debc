"""A bundle as one file: a zip that can be written in only one way.

Parts are stored, not compressed, in a fixed order, under fixed headers. So the same bundle is the
same file everywhere; nothing inflates; and a reader needs no trust in headers, for every byte that
is no part must be the one that `archive_bytes` would write. Any zip tool unpacks it.
Ref: PKWARE, .ZIP File Format Specification 6.3.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Mapping

from bwalloc.errors import BundleError
from bwalloc.serve.bundles.manifest import MANIFEST, MOST_BYTES, MOST_PARTS, SIGNATURE

SUFFIX = ".bwalloc"
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""Names of parts: no folder, no device, no stream of another file."""
MOST_ENTRIES = MOST_PARTS + 2
MOST_ARCHIVE_BYTES = MOST_BYTES + 2 * 2**20
"""Room for the manifest, the signature and the headers."""
MAGIC = b"PK\3\4"
_HEADER = struct.Struct("<4s5H3L2H")
_LISTED = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_VERSION, _FLAGS, _STORED, _TIME, _DATE = 20, 0, 0, 0, 0x21
"""Version 2.0 of the format; no flags; no compression; midnight, 1 January 1980."""
_ENCRYPTED = 1
_UNIX, _MODE = 3 << 8, 0o100644 << 16
_AGAIN = "pack it again: bwalloc pack FOLDER --out FILE.bwalloc"


def archive_bytes(parts: Mapping[str, bytes]) -> bytes:
    """The file that holds `parts` (manifest and signature among them), by name."""
    entries = [(name, len(parts[name]), zlib.crc32(parts[name])) for name in _order(parts)]
    pieces = [piece for entry in entries for piece in (_header(*entry), parts[entry[0]])]
    return b"".join([*pieces, _directory(entries)])


def archive_parts(data: bytes, where: str) -> dict[str, bytes]:
    """The parts in a file that `archive_bytes` wrote.

    Raises:
        BundleError: It could not have written this file.
    """
    found: dict[str, bytes] = {}
    entries: list[tuple[str, int, int]] = []
    at = 0
    while data[at : at + 4] == MAGIC:
        name, size = _entry(data, at, where)
        begin = at + _HEADER.size + len(name)
        part = data[begin : begin + size]
        _check_entry(name, part, size, found, where)
        entries.append((name, size, zlib.crc32(part)))
        if data[at:begin] != _header(*entries[-1]):
            raise _refusal(where, name, "its checksum or its header is not right")
        found[name] = part
        at = begin + size
    if not found:
        raise _refusal(where, "", f"is no {SUFFIX} file")
    if list(found) != _order(found) or data[at:] != _directory(entries):
        raise _refusal(
            where, "", "is cut off, or something was added, or parts stand in another order"
        )
    return found


def _entry(data: bytes, at: int, where: str) -> tuple[str, int]:
    """Name and size of the part whose header begins at `at`."""
    if len(data) < at + _HEADER.size:
        raise _refusal(where, "", "is cut off")
    _, _, flags, method, _, _, _, _, size, length, _ = _HEADER.unpack_from(data, at)
    begin = at + _HEADER.size
    raw = data[begin : begin + length].decode("latin-1")
    if not PLAIN.fullmatch(raw):
        raise _refusal(where, "", f"{raw[:60]!r} is no plain file name")
    if flags & _ENCRYPTED:
        raise _refusal(where, raw[:60], "is encrypted")
    if method != _STORED:
        raise _refusal(where, raw[:60], "is compressed, and parts are only stored")
    return raw, size


def _check_entry(name: str, part: bytes, size: int, found: Mapping[str, bytes], where: str) -> None:
    if name in found:
        raise _refusal(where, name, "stands twice")
    if len(found) == MOST_ENTRIES:
        raise _refusal(where, "", f"holds more than {MOST_ENTRIES} parts")
    if len(part) != size:
        raise _refusal(where, name, "is cut off")
    if part.startswith(MAGIC):
        raise _refusal(where, name, "is an archive itself")


def _order(names: Iterable[str]) -> list[str]:
    """What is checked first stands first."""
    first = (MANIFEST, SIGNATURE)
    return sorted(names, key=lambda name: (name not in first, name != MANIFEST, name))


def _header(name: str, size: int, checksum: int) -> bytes:
    fixed = (_VERSION, _FLAGS, _STORED, _TIME, _DATE)
    return _HEADER.pack(MAGIC, *fixed, checksum, size, size, len(name), 0) + name.encode()


def _directory(entries: list[tuple[str, int, int]]) -> bytes:
    """What a zip ends with: the list of its parts, and where that list lies."""
    at, listed = 0, b""
    for name, size, checksum in entries:
        fixed = (_UNIX | _VERSION, _VERSION, _FLAGS, _STORED, _TIME, _DATE)
        listed += _LISTED.pack(
            b"PK\1\2", *fixed, checksum, size, size, len(name), 0, 0, 0, 0, _MODE, at
        ) + name.encode()  # fmt: skip
        at += _HEADER.size + len(name) + size
    count = len(entries)
    return listed + _END.pack(b"PK\5\6", 0, 0, count, count, len(listed), at, 0)


def _refusal(where: str, part: str, what: str) -> BundleError:
    place = f"{where}, {part}" if part else where
    return BundleError(f"{place}: {what}; refused. Fetch the file again, or {_AGAIN}.")
