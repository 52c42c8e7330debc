"""Rows of a trace file as they are written: CSV or JSON lines, plain or gzipped."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bwalloc.errors import TraceError, nearest

_GZIP_MAGIC = b"\x1f\x8b"
_JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")


@dataclass(frozen=True, slots=True)
class RawRows:
    """Cells of the wanted columns, not yet read as numbers.

    Attributes:
        path: File.
        lines: Line of each row, counted from 1.
        cells: Column by its role; strings from CSV, any JSON value from JSON lines.
        names: Name of each role's column in the file.
        sha256: Digest of the file as it lies on disk.
    """

    path: Path
    lines: Sequence[int]
    cells: Mapping[str, Sequence[Any]]
    names: Mapping[str, str]
    sha256: str

    def refuse(self, *, role: str, row: int, must: str) -> TraceError:
        """The error about one cell: file, line, column, value and remedy."""
        return TraceError(
            f"{self.path}, line {self.lines[row]}, column '{self.names[role]}': got "
            f"{_short(self.cells[role][row])}, must be {must}. Correct or remove the line."
        )


def read_rows(path: Path, names: Mapping[str, str]) -> RawRows:
    """Rows of the columns `names` (role to name in the file).

    Raises:
        TraceError: If the file cannot be read, or a row or column is missing or broken.
    """
    data, text = _text(path)
    is_json = _is_json(path, text)
    rows = list(_json_rows(path, text, names) if is_json else _csv_rows(path, text, names))
    if not rows:
        msg = f"{path}, line 2: got the end of the file, must be a request. Use another file."
        raise TraceError(msg)
    lines, *columns = zip(*rows, strict=True)
    return RawRows(
        path=path,
        lines=lines,
        cells=dict(zip(names, columns, strict=True)),
        names=names,
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _text(path: Path) -> tuple[bytes, str]:
    """Bytes of the file, and its text unpacked."""
    try:
        data = path.read_bytes()
        plain = gzip.decompress(data) if data.startswith(_GZIP_MAGIC) else data
        text = plain.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        msg = f"{path}, line {line}: got byte {error.object[error.start]:#04x}, must be UTF-8 text."
        msg += " Convert the file, or name another one."
        raise TraceError(msg) from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        msg = f"{path}: the gzip data are truncated or damaged ({error}). Fetch the file again."
        raise TraceError(msg) from error
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror}). Check the path and its permissions."
        raise TraceError(msg) from error
    if not text.strip():
        msg = f"{path}, line 1: the file is empty. Fetch it again, or name another one."
        raise TraceError(msg)
    return data, text


def _is_json(path: Path, text: str) -> bool:
    stem = path.with_suffix("") if path.suffix == ".gz" else path
    return stem.suffix in _JSON_SUFFIXES or text.lstrip().startswith("{")


def _csv_rows(path: Path, text: str, names: Mapping[str, str]) -> Iterator[tuple[Any, ...]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(row for row in reader if row)]
        at = [_position(path, reader.line_num, name, header) for name in names.values()]
        width = len(header)
        for row in reader:
            if len(row) == width:
                yield (reader.line_num, *(row[i] for i in at))
            elif row:
                raise _wrong_width(path, reader.line_num, row, header)
    except csv.Error as error:
        msg = f"{path}, line {reader.line_num}: is no CSV ({error}). Correct or remove the line."
        raise TraceError(msg) from error


def _position(path: Path, line: int, name: str, header: Sequence[str]) -> int:
    if name not in header:
        raise _missing(path, line, name, header)
    return header.index(name)


def _wrong_width(path: Path, line: int, row: Sequence[str], header: Sequence[str]) -> TraceError:
    place = f"{path}, line {line}"
    if len(row) < len(header):
        place += f", column '{header[len(row)]}'"
    return TraceError(
        f"{place}: got {len(row)} cells ({_short(','.join(row))}), must be {len(header)}. "
        "The line is cut off or broken: correct or remove it, or fetch the file again."
    )


def _json_rows(path: Path, text: str, names: Mapping[str, str]) -> Iterator[tuple[Any, ...]]:
    wanted = tuple(names.values())
    for line, source in enumerate(text.splitlines(), start=1):
        if source.strip():
            record = _json_record(path, line, source)
            for name in wanted:
                if name not in record:
                    raise _missing(path, line, name, list(record))
            yield (line, *(record[name] for name in wanted))


def _json_record(path: Path, line: int, source: str) -> dict[str, Any]:
    try:
        record = json.loads(source)
    except (ValueError, RecursionError) as error:
        msg = f"{path}, line {line}: got {_short(source)}, must be a JSON object ({error})."
        msg += " Correct or remove the line."
        raise TraceError(msg) from error
    if not isinstance(record, dict):
        msg = f"{path}, line {line}: got {_short(source)}, must be a JSON object per line."
        msg += " Write one request per line."
        raise TraceError(msg)
    return record


def _missing(path: Path, line: int, name: str, known: Sequence[str]) -> TraceError:
    return TraceError(
        f"{path}, line {line}, column '{name}': is not in the file. {nearest(name, known)} "
        "Name the columns: --columns time=..,context=..,generated=.. (in Python a dict)."
    )


def _short(value: Any) -> str:
    """A value as people may read it in a message, cut to 60 characters."""
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
