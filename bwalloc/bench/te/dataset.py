"""Public traffic matrices with their tunnels: read from a folder the user names.

Nothing is downloaded and nothing is shipped; `docs/te.md` says where each file comes from.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.bench.te.network import SplitNetwork
from bwalloc.bench.te.tunnels import read_tunnels
from bwalloc.errors import BwallocError, TraceError, unknown_name
from bwalloc.network.readers import read_topology

if TYPE_CHECKING:
    from jaxtyping import Float, Int

HISTORY = 12
"""Matrices that are seen before each decision."""
ROOMS = (".", "topologies", "traffic")
"""Where in the folder files are looked for."""


@dataclass(frozen=True, slots=True)
class Source:
    """The files of one dataset, and how they are meant.

    Attributes:
        topology: node-link JSON of the sites and capacities.
        tunnels: the tunnels of each pair.
        matrices: NumPy archive with `tm`, (time, source, destination).
        unit_gbps: size of the files' unit of capacity and load.
        train, validation, test: matrices to decide for, in this order in time.
    """

    topology: str
    tunnels: str
    matrices: str
    unit_gbps: float
    train: int
    validation: int
    test: int


SOURCES = {
    "geant": Source(
        topology="figret_GEANT.json.gz",
        tunnels="figret_GEANT_tunnels.txt.gz",
        matrices="figret_geant_week7.npz",
        unit_gbps=1e-9,
        train=440,
        validation=60,
        test=165,
    )
}
"""Datasets by name. Train and validation are the 500 matrices that learners may see."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Matrices in order of time, and which of them are decided for in each split.

    Attributes:
        name: of the dataset.
        network: the links and tunnels the matrices are routed on.
        load_gbps: one row per matrix; may be scaled so that no routing fits.
        splits: targets (rows of `load_gbps`) by split; each has `HISTORY` rows before it.
    """

    name: str
    network: SplitNetwork
    load_gbps: Float[np.ndarray, "times demands"]
    splits: dict[str, Int[np.ndarray, " targets"]]

    def history(
        self, targets: Int[np.ndarray, " targets"]
    ) -> Float[np.ndarray, "history demands targets"]:
        """The matrices before each target, the latest last."""
        rows = targets[None] - HISTORY + np.arange(HISTORY)[:, None]
        return self.load_gbps[rows].transpose(0, 2, 1)

    def coming(
        self, targets: Int[np.ndarray, " targets"]
    ) -> Float[np.ndarray, "one demands targets"]:
        """The matrices decided for, as one step of load."""
        return self.load_gbps[targets].T[None]


def read_dataset(name: str, folder: Path) -> Dataset:
    """Read a dataset.

    Args:
        name: of `SOURCES`.
        folder: holds the files, or has folders `topologies` and `traffic` that do.

    Raises:
        UnknownNameError: no dataset has this name.
        BwallocError: the folder or a file of the dataset is not there.
        TopologyError, TraceError: a file cannot be read, or does not fit the others.
    """
    if name not in SOURCES:
        raise unknown_name(kind="dataset", name=name, known=SOURCES, remedy="Use one of those.")
    source = SOURCES[name]
    topology = read_topology(
        _found(folder, source.topology, name), capacity_unit_gbps=source.unit_gbps
    )
    network = read_tunnels(_found(folder, source.tunnels, name), topology)
    file = _found(folder, source.matrices, name)
    load = _loads(file, network.pairs, len(topology.sites.name)) * source.unit_gbps
    return dataset_of(name, network, load, (source.train, source.validation, source.test), file)


def dataset_of(
    name: str,
    network: SplitNetwork,
    load_gbps: Float[np.ndarray, "times demands"],
    sizes: tuple[int, int, int],
    where: str | Path = "matrices",
) -> Dataset:
    """A dataset whose splits follow each other in time, after the first history.

    Args:
        name: of the dataset.
        network: what the loads are routed on.
        load_gbps: one row per matrix.
        sizes: matrices in train, validation and test.
        where: the file the loads come from, for errors.

    Raises:
        TraceError: there are too few matrices for these sizes, or an empty or negative one.
    """
    needed = HISTORY + sum(sizes)
    if len(load_gbps) < needed:
        msg = f"{where}: holds {len(load_gbps)} matrices, {needed} are needed ({HISTORY} before "
        msg += f"the first decision, then {' + '.join(map(str, sizes))})."
        raise TraceError(msg)
    _check_loads(load_gbps, where)
    ends = np.cumsum((HISTORY, *sizes))
    names = ("train", "validation", "test")
    splits = {
        split: np.arange(first, end)
        for split, first, end in zip(names, ends[:-1], ends[1:], strict=True)
    }
    return Dataset(name, network, load_gbps.astype(np.float32), splits)


def _check_loads(load_gbps: np.ndarray, where: str | Path) -> None:
    wrong = ~np.isfinite(load_gbps) | (load_gbps < 0)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        msg = f"{where}: matrix {row}, pair {column} is {load_gbps[row, column]}; expected a "
        msg += "finite load of 0 or more."
        raise TraceError(msg)
    empty = np.flatnonzero(load_gbps.sum(1) == 0)
    if len(empty):
        msg = f"{where}: matrix {empty[0]} carries no load, so no split of it is better than any."
        raise TraceError(msg)


def _found(folder: Path, file: str, dataset: str) -> Path:
    if not folder.is_dir():
        msg = f"--data {folder}: there is no such folder; it shall hold {file}. See docs/te.md."
        raise BwallocError(msg)
    for room in ROOMS:
        if (folder / room / file).is_file():
            return folder / room / file
    msg = f"--data {folder}: lacks {file} of the dataset '{dataset}', here and in its folders "
    msg += f"{ROOMS[1]} and {ROOMS[2]}. docs/te.md says where the file comes from."
    raise BwallocError(msg)


def _loads(file: Path, pairs: np.ndarray, n_sites: int) -> np.ndarray:
    try:
        with np.load(file, allow_pickle=False) as archive:
            matrices = archive["tm"]
    except KeyError:
        msg = f"{file}: holds no array 'tm' (time, source, destination)."
        raise TraceError(msg) from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        msg = f"{file}: cannot be read as a NumPy archive ({error})."
        raise TraceError(msg) from None
    if matrices.ndim != 3 or matrices.shape[1:] != (n_sites, n_sites):
        msg = f"{file}: 'tm' has shape {matrices.shape}, expected (time, {n_sites}, {n_sites})."
        raise TraceError(msg)
    return matrices[:, pairs[:, 0], pairs[:, 1]].astype(np.float64)
