"""Traffic matrices: how the load of pairs of sites varied in a real network, and its replay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.errors import TraceError, nearest
from bwalloc.workloads.replay import segment_of

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from bwalloc.workloads.clock import Clock


@dataclass(frozen=True, slots=True)
class MatrixSeries:
    """Traffic matrices in the order of time; only their shape counts, so their unit may be any.

    Attributes:
        t_s: Seconds from the first matrix.
        load: Load from each node to each.
        nodes: Names of the nodes; empty where the file names none.
        sha256: Digest of the files as they lie on disk.
        name: The file or folder.
    """

    t_s: Float[np.ndarray, " times"]
    load: Float[np.ndarray, "times nodes nodes"]
    nodes: tuple[str, ...]
    sha256: str
    name: str

    @property
    def rows(self) -> int:
        """Number of matrices."""
        return len(self.t_s)

    def pairs_of(self, ends: Sequence[tuple[str, str]]) -> Int[np.ndarray, " demands"]:
        """Which pair (row of the flattened matrix) each demand follows.

        Demands whose ends are nodes follow their own pair. If no site is a node, the names of the
        file are none of this network: then the first demand follows the busiest pair, and so on.

        Args:
            ends: Source and target site of each demand.

        Raises:
            TraceError: If only some sites are nodes, or a pair carries nothing.
        """
        means = self.load.mean(0).ravel()
        row = {name: index for index, name in enumerate(self.nodes)}
        sites = dict.fromkeys(site for pair in ends for site in pair)
        unknown = [site for site in sites if site not in row]
        if len(unknown) == len(sites):
            busiest = np.argsort(-means, kind="stable")[: max(1, np.count_nonzero(means))]
            return np.resize(busiest, len(ends))
        if unknown:
            msg = f"{self.name}: has no node '{unknown[0]}'. {nearest(unknown[0], self.nodes)}"
            raise TraceError(msg + " Name the sites as the file does, all of them or none.")
        pairs = np.array([row[a] * len(self.nodes) + row[b] for a, b in ends], np.int64)
        for (a, b), pair in zip(ends, pairs, strict=True):
            if means[pair] <= 0.0:
                msg = f"{self.name}: carries nothing from '{a}' to '{b}'. Leave that demand out."
                raise TraceError(msg)
        return pairs


def replay_matrices(
    series: MatrixSeries,
    pairs: Int[np.ndarray, " demands"],
    split: str,
    rng: np.random.Generator,
    clock: Clock,
) -> Float[np.ndarray, "steps demands"]:
    """Load of pairs over their mean in each step, straight between the matrices.

    A split plays its segment (`replay.SEGMENTS`) in a circle, from an offset that all pairs share:
    they were measured together.

    Args:
        series: Matrices.
        pairs: Pair of each demand (`MatrixSeries.pairs_of`).
        split: Key of `replay.SEGMENTS`.
        rng: Source of one uniform.
        clock: Steps to play.

    Raises:
        UnknownNameError: If there is no such split.
        TraceError: If the segment holds less than two matrices.
    """
    begin_s, end_s = segment_of(split, float(series.t_s[-1]))
    first, last = np.searchsorted(series.t_s, (begin_s, end_s), side="right")
    times_s = series.t_s[first - 1 : last]
    if len(times_s) < 2:
        msg = f"{series.name}: holds less than two matrices for the {split} split. Use more."
        raise TraceError(msg)
    flat = series.load.reshape(series.rows, -1)
    shape = (flat[first - 1 : last, pairs] / flat[:, pairs].mean(0)).astype(np.float32)
    knots = clock.knots()
    at_s = begin_s + (rng.uniform(0.0, end_s - begin_s) + knots.times_s()) % (end_s - begin_s)
    return clock.between_knots(_between(times_s, shape, at_s))


def _between(
    times_s: Float[np.ndarray, " times"],
    values: Float[np.ndarray, "times columns"],
    at_s: Float[np.ndarray, " knots"],
) -> Float[np.ndarray, "knots columns"]:
    """`values` at other times, straight between `times_s`."""
    before = np.clip(np.searchsorted(times_s, at_s, side="right") - 1, 0, len(times_s) - 2)
    span_s = times_s[before + 1] - times_s[before]
    part = np.clip((at_s - times_s[before]) / span_s, 0.0, 1.0).astype(np.float32)[:, None]
    return values[before] + part * (values[before + 1] - values[before])
