"""Files of traffic matrices: a NumPy archive, or SNDlib XML, one matrix a file."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree

import numpy as np

from bwalloc.errors import TraceError
from bwalloc.workloads.matrices import MatrixSeries

if TYPE_CHECKING:
    from jaxtyping import Float

_STAMP = re.compile(r"(\d{8})-?(\d{4})")
_XML = (".xml", ".xml.gz")
_TAR = (".tgz", ".tar.gz", ".tar")
_SECONDS = "Say how many seconds lie between them, as PATH#300 (in Python `step_s=300`)."


class _Matrix(NamedTuple):
    """One matrix of SNDlib: load by pair of names, when it was measured, and the file."""

    load: dict[tuple[str, str], float]
    nodes: list[str]
    minute: datetime | None
    file: str


def read_matrices(path: str | Path, step_s: float | None = None) -> MatrixSeries:
    """Read traffic matrices.

    A `.npz` holds `tm` (or one array only) of shape (time, source, destination), and may hold
    `step_s` and `nodes`. SNDlib publishes one XML file per matrix: name their folder, or the
    `.tgz` as downloaded; times are those in the files or in their names.

    Args:
        path: Archive or folder.
        step_s: Seconds from one matrix to the next, where the files do not say.

    Raises:
        TraceError: If something is missing, malformed, negative or no number, or if there are
            less than two matrices; names the file and the remedy.
    """
    path = Path(path)
    try:
        series = _from_npz(path, step_s) if path.suffix == ".npz" else _from_xml(path, step_s)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError) as error:
        msg = f"{path}: cannot be read ({error}). Check the path, or fetch the file again."
        raise TraceError(msg) from error
    if series.rows < 2:
        msg = f"{path}: holds {series.rows} matrix, must be 2 or more: one shows no variation."
        raise TraceError(msg)
    wrong = ~(np.isfinite(series.load) & (series.load >= 0.0))
    if wrong.any():
        time, source, target = np.argwhere(wrong)[0].tolist()
        value = series.load[time, source, target]
        msg = f"{path}, matrix {time}, from {source} to {target}: got {value:g}, must be 0 or more."
        raise TraceError(msg + " Correct or remove the matrix.")
    return series


def _from_npz(path: Path, step_s: float | None) -> MatrixSeries:
    data = path.read_bytes()
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except ValueError as error:
        msg = f"{path}: is no archive of plain arrays ({error}). Save it with numpy.savez."
        raise TraceError(msg) from error
    load = arrays.get("tm", next(iter(arrays.values())) if len(arrays) == 1 else np.zeros(0))
    if load.ndim != 3 or load.shape[1] != load.shape[2]:
        listed = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        msg = f"{path}: has no array 'tm' of shape (time, node, node), only {listed or 'nothing'}."
        raise TraceError(msg + " Name the matrices 'tm'.")
    said = step_s if step_s is not None else arrays.get("step_s")
    if said is None:
        msg = f"{path}: does not say when its matrices were measured. {_SECONDS}"
        raise TraceError(msg)
    nodes = tuple(str(name) for name in arrays.get("nodes", ()))
    if nodes and len(nodes) != load.shape[1]:
        msg = f"{path}: has {len(nodes)} names in 'nodes', must be {load.shape[1]}. Name each node."
        raise TraceError(msg)
    t_s = np.arange(len(load)) * _positive(path, float(said))
    return MatrixSeries(t_s, load.astype(np.float32), nodes, _digest([data]), str(path))


def _from_xml(path: Path, step_s: float | None) -> MatrixSeries:
    files = sorted(_xml_files(path))
    if not files:
        msg = f"{path}: holds no .xml file. Name a .npz, a folder of SNDlib's XML, or its .tgz."
        raise TraceError(msg)
    matrices = [_matrix(name, data) for name, data in files]
    nodes = tuple(dict.fromkeys(node for matrix in matrices for node in matrix.nodes))
    row = {name: index for index, name in enumerate(nodes)}
    load = np.zeros((len(matrices), len(nodes), len(nodes)), np.float32)
    for time, matrix in enumerate(matrices):
        for (source, target), value in matrix.load.items():
            load[time, row[source], row[target]] += value
    t_s = _times_s(path, matrices, step_s)
    order = np.argsort(t_s, kind="stable")
    sha256 = _digest(data for _, data in files)
    return MatrixSeries(t_s[order], load[order], nodes, sha256, str(path))


def _xml_files(path: Path) -> list[tuple[str, bytes]]:
    """Name and content of each XML file of a folder or archive, or of the one file."""
    if path.is_dir():
        inside = [each for each in path.iterdir() if each.name.endswith(_XML)]
        return [(each.name, _unpacked(each.name, each.read_bytes())) for each in inside]
    if path.name.endswith(_TAR):
        with tarfile.open(path) as archive:
            members = [each for each in archive if each.isfile() and each.name.endswith(_XML)]
            read = [(Path(m.name).name, archive.extractfile(m)) for m in members]
            return [(name, _unpacked(name, file.read())) for name, file in read if file]
    if path.name.endswith(_XML):
        return [(path.name, _unpacked(path.name, path.read_bytes()))]
    path.stat()
    return []


def _unpacked(name: str, data: bytes) -> bytes:
    return gzip.decompress(data) if name.endswith(".gz") else data


def _matrix(name: str, data: bytes) -> _Matrix:
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        msg = f"{name}: is no XML ({error}). Fetch the file again."
        raise TraceError(msg) from error
    load: dict[tuple[str, str], float] = {}
    nodes = [each.get("id", "") for each in _all(root, "node")]
    for demand in _all(root, "demand"):
        source, target = _text(demand, "source", name), _text(demand, "target", name)
        value = _text(demand, "demandValue", name)
        try:
            load[source, target] = load.get((source, target), 0.0) + float(value)
        except ValueError:
            msg = f"{name}, demand from '{source}' to '{target}': got '{value}', must be a number."
            raise TraceError(msg + " Correct or remove the demand.") from None
        nodes += [source, target]
    if not load:
        msg = f"{name}: has no <demand>. Name files of demand matrices, not of topologies."
        raise TraceError(msg)
    times = [each.text or "" for each in _all(root, "time")]
    return _Matrix(load, nodes, _minute([*times, name]), name)


def _all(node: Any, tag: str) -> list[Any]:
    """Elements below a node by name, whatever their namespace."""
    return [each for each in node.iter() if each.tag.rpartition("}")[2] == tag]


def _text(node: Any, tag: str, name: str) -> str:
    found = _all(node, tag)
    if not found or not (found[0].text or "").strip():
        msg = f"{name}, demand '{node.get('id', '?')}': has no <{tag}>. Fetch the file again."
        raise TraceError(msg)
    return found[0].text.strip()


def _minute(texts: list[str]) -> datetime | None:
    """The first date and time that stands in a text, such as 20040301-0005."""
    for text in texts:
        found = _STAMP.search(text)
        if found:
            try:
                return datetime.strptime("".join(found.groups()), "%Y%m%d%H%M").replace(tzinfo=UTC)
            except ValueError:
                continue
    return None


def _times_s(
    path: Path, matrices: list[_Matrix], step_s: float | None
) -> Float[np.ndarray, " times"]:
    """Seconds of each matrix from the earliest one."""
    if step_s is not None:
        return np.arange(len(matrices)) * _positive(path, step_s)
    minutes = [matrix.minute for matrix in matrices if matrix.minute is not None]
    if len(minutes) < len(matrices):
        untimed = next(matrix.file for matrix in matrices if matrix.minute is None)
        msg = f"{path}: '{untimed}' does not say when it was measured. {_SECONDS}"
        raise TraceError(msg)
    if len(set(minutes)) < len(minutes):
        msg = f"{path}: holds two matrices of the same minute. Remove one."
        raise TraceError(msg)
    return np.array([(minute - min(minutes)).total_seconds() for minute in minutes])


def _positive(path: Path, step_s: float) -> float:
    if not 0.0 < step_s < np.inf:
        msg = f"{path}: got {step_s:g} s between matrices, must be a positive number. {_SECONDS}"
        raise TraceError(msg)
    return step_s


def _digest(parts: Iterable[bytes]) -> str:
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(part)
    return hashed.hexdigest()
