# pyright: basic
# numba infers the types of a kernel; Constants and constants_of are annotated.
"""The compiled twin of `Observer`; held to it by a parity test.

Inner loops run over the batch, so that they vectorise; a batch of one takes kernels of its own.
Logarithms are left to NumPy, whose loops over arrays are faster than those of a kernel: one kernel
writes their arguments, another one clips what came out. No sum depends on the batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from bwalloc.observe import features as plain

if TYPE_CHECKING:
    from bwalloc.observe.features import Memory, Observer
    from bwalloc.observe.readings import Readings

FAST = {"nnan", "nsz"}
inlined = njit(nogil=True, fastmath=FAST, error_model="numpy", forceinline=True)
kernel = njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
ZERO, ONE = np.float32(0), np.float32(1)
LEAST, SOFT = np.float32(plain.LEAST), np.float32(plain.SOFT)
WHOLE = np.float32(1.0 + plain.SOFT)
NOTHING, LITTLE = np.float32(1e-9), np.float32(plain.LITTLE)
SETTLED = 4096
"""Intervals after which running means have gathered all of their weight."""
KEEP = tuple(np.float32(1.0 - 1.0 / span) for span in plain.SPANS)
FRESH = tuple(np.float32(1.0 - (1.0 - 1.0 / span)) for span in plain.SPANS)


class Constants(NamedTuple):
    """What the kernels need of an `Observer`."""

    hops: np.ndarray
    value: np.ndarray
    interval_s: np.float32
    weights: np.ndarray
    fixed_demands: np.ndarray
    fixed_tunnels: np.ndarray
    fixed_links: np.ndarray
    bounds_demands: np.ndarray
    bounds_tunnels: np.ndarray
    bounds_links: np.ndarray
    bounds_globals: np.ndarray


class Seen(NamedTuple):
    """What the kernels need of a memory and of readings, all (rows, B) or (B,)."""

    seen: np.ndarray
    means: np.ndarray
    square: np.ndarray
    excess: np.ndarray
    offered: np.ndarray
    recent: np.ndarray
    peak: np.ndarray
    served: np.ndarray
    expired: np.ndarray
    queued: np.ndarray
    capacity: np.ndarray
    carried: np.ndarray
    hour: np.ndarray


class Written(NamedTuple):
    """The features, by kind: (features, rows, B)."""

    demands: np.ndarray
    tunnels: np.ndarray
    links: np.ndarray
    globals: np.ndarray


@inlined
def _gathered_weight(seen, of_seen):
    return of_seen[min(np.int64(seen), of_seen.size - 1)]


@inlined
def _update(law, seen, means, square, excess, offered, peak, after, size):
    weight = np.empty(size, np.float32)
    new_means, new_square, new_excess = after
    k, fresh = KEEP[2], FRESH[2]
    for b in range(size):
        weight[b] = _gathered_weight(seen[b], law.weights[2])
    for d in range(offered.shape[0]):
        for b in range(size):
            load = offered[d, b]
            away = load - means[2, d, b] / weight[b]
            new_means[0, d, b] = KEEP[0] * means[0, d, b] + FRESH[0] * load
            new_means[1, d, b] = KEEP[1] * means[1, d, b] + FRESH[1] * load
            new_means[2, d, b] = k * means[2, d, b] + fresh * load
            new_square[d, b] = k * square[d, b] + fresh * (away * away)
            new_excess[d, b] = k * excess[d, b] + fresh * max(peak[d, b] - load, ZERO)


@inlined
def _least(values, hops, out, size):
    """Least of `values` over the resources that each tunnel crosses; 0 without any."""
    for p in range(hops.shape[0]):
        first = hops[p, 0]
        for b in range(size):
            out[p, b] = values[first, b] if first < values.shape[0] else ZERO
        for h in range(1, hops.shape[1]):
            link = hops[p, h]
            if link < values.shape[0]:
                for b in range(size):
                    out[p, b] = min(out[p, b], values[link, b])


@inlined
def _demand_rows(law, got, want, rates, widest, whole, weights, out, size):
    """Arguments of the logarithms of the demands, and the shares."""
    demands, tunnels = rates.shape[0], rates.shape[1]
    mean, queued = np.empty(size, np.float32), np.empty(size, np.float32)
    for b in range(size):
        whole[b] = ZERO
    for d in range(demands):
        for b in range(size):
            mean[b] = max(got.means[2, d, b] / weights[2, b], LEAST * widest[d, b])
            queued[b] = ZERO
            out[13, d, b] = ZERO
        for k in range(got.queued.shape[1]):
            for b in range(size):
                queued[b] += got.queued[d, k, b]
        for k in range(tunnels):
            for b in range(size):
                out[13, d, b] += rates[d, k, b]
        for b in range(size):
            soft, whole_mean = SOFT * mean[b], WHOLE * mean[b]
            out[0, d, b] = mean[b] / widest[d, b]
            out[1, d, b] = (got.offered[d, b] + soft) / whole_mean
            out[2, d, b] = (got.recent[d, b] + soft) / whole_mean
            out[3, d, b] = (got.peak[d, b] + soft) / whole_mean
            out[4, d, b] = (got.means[0, d, b] / weights[0, b] + soft) / whole_mean
            out[5, d, b] = (got.means[1, d, b] / weights[1, b] + soft) / whole_mean
            out[6, d, b] = np.sqrt(got.square[d, b] / weights[2, b]) / mean[b]
            out[7, d, b] = got.excess[d, b] / weights[2, b] / mean[b]
            out[8, d, b] = queued[b] / (law.interval_s * mean[b])
            out[9, d, b] = got.queued[d, 0, b] / (queued[b] + LITTLE * law.interval_s * mean[b])
            ended = got.expired[d, b] + got.served[d, b]
            out[10, d, b] = got.expired[d, b] / (ended + NOTHING)
            out[11, d, b] = law.value[d, 0] * mean[b]
            out[12, d, b] = (want[d, b] + soft) / whole_mean
            out[13, d, b] = (out[13, d, b] + soft) / whole_mean
            whole[b] += out[11, d, b]
    for d in range(demands):
        for b in range(size):
            out[11, d, b] /= whole[b]


@inlined
def _tunnel_rows(law, got, narrowest, widest, load, out, size):
    """Widest path of each demand; argument of the width; load of the fullest link."""
    demands = widest.shape[0]
    tunnels = narrowest.shape[0] // demands
    for link in range(load.shape[0]):
        for b in range(size):
            load[link, b] = -got.carried[link, b] / (got.capacity[link, b] + LEAST)
    _least(got.capacity, law.hops, narrowest, size)
    _least(load, law.hops, out[1], size)
    for d in range(demands):
        for b in range(size):
            widest[d, b] = ZERO
        for k in range(tunnels):
            for b in range(size):
                widest[d, b] = max(widest[d, b], narrowest[d * tunnels + k, b])
        for b in range(size):
            widest[d, b] += LEAST
        for k in range(tunnels):
            p = d * tunnels + k
            exists = law.hops[p, 0] < load.shape[0]
            for b in range(size):
                width = (narrowest[p, b] + LEAST) / widest[d, b]
                out[0, p, b] = width if exists else ONE
                out[1, p, b] = -out[1, p, b]


@inlined
def _link_rows(law, got, want, narrowest, whole, load, out, size):
    """Arguments of the capacity and of the pressure; the load of each link."""
    links, demands = got.capacity.shape[0], want.shape[0]
    tunnels = narrowest.shape[0] // demands
    for b in range(size):
        whole[b] = ZERO
    for link in range(links):
        for b in range(size):
            whole[b] += got.capacity[link, b] + LEAST
            out[2, link, b] = ZERO
            out[1, link, b] = -load[link, b]
    for b in range(size):
        whole[b] /= np.float32(links)
    for link in range(links):
        for b in range(size):
            out[0, link, b] = (got.capacity[link, b] + LEAST) / whole[b]
    for d in range(demands):
        for b in range(size):
            whole[b] = ZERO
        for k in range(tunnels):
            for b in range(size):
                whole[b] += narrowest[d * tunnels + k, b]
        for b in range(size):
            whole[b] += LEAST
        for k in range(tunnels):
            p = d * tunnels + k
            for h in range(law.hops.shape[1]):
                link = law.hops[p, h]
                if link < links:
                    for b in range(size):
                        out[2, link, b] += want[d, b] * (narrowest[p, b] / whole[b])
    for link in range(links):
        for b in range(size):
            out[2, link, b] /= got.capacity[link, b] + LEAST


@inlined
def _global_rows(got, weights, out, size):
    for b in range(size):
        day = np.float32(got.hour[b]) * np.float32(2 * np.pi / 24.0)
        week = np.float32(got.hour[b]) * np.float32(2 * np.pi / 168.0)
        out[0, 0, b], out[1, 0, b] = np.sin(day), np.cos(day)
        out[2, 0, b], out[3, 0, b] = np.sin(week), np.cos(week)
        load, trailing = ZERO, ZERO
        for d in range(got.offered.shape[0]):
            load += got.offered[d, b]
            trailing += got.means[2, d, b]
        out[4, 0, b] = (load + LEAST) / (trailing / weights[2, b] + LEAST)


@inlined
def _arguments(law, got, want, rates, out, size):
    """Everything up to the logarithms."""
    demands, tunnels, links = want.shape[0], law.hops.shape[0], got.capacity.shape[0]
    narrowest = np.empty((tunnels, size), np.float32)
    widest, load = np.empty((demands, size), np.float32), np.empty((links, size), np.float32)
    whole, weights = np.empty(size, np.float32), np.empty((3, size), np.float32)
    for b in range(size):
        weights[0, b] = _gathered_weight(got.seen[b], law.weights[0])
        weights[1, b] = _gathered_weight(got.seen[b], law.weights[1])
        weights[2, b] = _gathered_weight(got.seen[b], law.weights[2])
    _tunnel_rows(law, got, narrowest, widest, load, out.tunnels, size)
    _demand_rows(law, got, want, rates, widest, whole, weights, out.demands, size)
    _link_rows(law, got, want, narrowest, whole, load, out.links, size)
    _global_rows(got, weights, out.globals, size)


@inlined
def _clipped(out, bounds, fixed, size):
    """Clip the rows that move, and add those that do not; bounds (features, 2): low, high."""
    moving = bounds.shape[0]
    for f in range(moving):
        low, high = bounds[f]
        for row in range(out.shape[1]):
            for b in range(size):
                out[f, row, b] = min(max(out[f, row, b], low), high)
    for f in range(fixed.shape[0]):
        for row in range(out.shape[1]):
            for b in range(size):
                out[moving + f, row, b] = fixed[f, row]


@inlined
def _finish(law, out, size):
    _clipped(out.demands, law.bounds_demands, law.fixed_demands, size)
    _clipped(out.tunnels, law.bounds_tunnels, law.fixed_tunnels, size)
    _clipped(out.links, law.bounds_links, law.fixed_links, size)
    _clipped(out.globals, law.bounds_globals, law.fixed_links[:0], size)


@kernel
def update_block(law, seen, means, square, excess, offered, peak, after):
    """`Observer.update` of a batch into `after`: means, square, excess."""
    size = np.uint64(offered.shape[1])
    _update(law, seen, means, square, excess, offered, peak, after, size)


@kernel
def update_one(law, seen, means, square, excess, offered, peak, after):
    """`update_block` for a batch of one."""
    _update(law, seen, means, square, excess, offered, peak, after, np.uint64(1))


@kernel
def arguments_block(law, got, want, rates, out):
    """Write the features into `out`, those that are logarithms as their arguments."""
    _arguments(law, got, want, rates, out, np.uint64(want.shape[1]))


@kernel
def arguments_one(law, got, want, rates, out):
    """`arguments_block` for a batch of one."""
    _arguments(law, got, want, rates, out, np.uint64(1))


@kernel
def finish_block(law, out):
    """Clip the features, and add those that never change."""
    _finish(law, out, np.uint64(out.globals.shape[2]))


@kernel
def finish_one(law, out):
    """`finish_block` for a batch of one."""
    _finish(law, out, np.uint64(1))


def constants_of(observer: Observer) -> Constants:
    """Collect what the kernels need of `observer`."""
    seen, kinds = np.arange(SETTLED, dtype=np.float32), ("demands", "tunnels", "links")
    fixed = {kind: np.ascontiguousarray(rows[:, :, 0]) for kind, rows in observer.fixed.items()}
    bounds = {
        kind: np.ascontiguousarray(np.stack([low, high], 1)[:, :, 0, 0])
        for kind, (low, high) in observer.bounds.items()
    }
    return Constants(
        observer.paths.hops,
        observer.value,
        np.float32(observer.interval_s),
        np.stack([observer.weight(seen, 1.0 - 1.0 / span) for span in plain.SPANS]),
        *(fixed[kind] for kind in kinds),
        *(bounds[kind] for kind in (*kinds, "globals")),
    )


def updated(law: Constants, memory: Memory, readings: Readings) -> tuple[np.ndarray, ...]:
    """Means, square and excess of `memory` after one more interval."""
    offered, peak = _floats(readings.offered_gbps), _floats(readings.peak_gbps)
    after = tuple(np.empty_like(part) for part in (memory.means, memory.square, memory.excess))
    run = update_one if offered.shape[1] == 1 else update_block
    run(law, memory.seen, memory.means, memory.square, memory.excess, offered, peak, after)
    return after


def features_of(
    law: Constants,
    memory: Memory,
    readings: Readings,
    want: np.ndarray,
    rates: np.ndarray,
    given: Mapping[str, Sequence[np.ndarray]],
) -> dict[str, np.ndarray]:
    """The features of `Observer.__call__`, new arrays.

    `given` are the last ones of those that move, by kind, as the array form finds them.
    """
    demands, batch = want.shape
    tunnels, links = law.hops.shape[0], len(readings.capacity_gbps)
    rows = {"demands": demands, "tunnels": tunnels, "globals": 1, "links": links}
    moving = {kind: len(getattr(law, f"bounds_{kind}")) for kind in rows}
    columns = {kind: moving[kind] + len(getattr(law, f"fixed_{kind}", ())) for kind in rows}
    shapes = {kind: (columns[kind], rows[kind], batch) for kind in rows}
    written = Written(**{kind: np.empty(shape, np.float32) for kind, shape in shapes.items()})
    read = {field: _floats(getattr(readings, name)) for field, name in _READ.items()}
    read["hour"] = np.asarray(readings.hour_of_week, np.float64)
    got = Seen(memory.seen, memory.means, memory.square, memory.excess, **read)
    ways = (arguments_one, finish_one) if batch == 1 else (arguments_block, finish_block)
    arguments, finish = ways
    arguments(law, got, _floats(want), _floats(rates), written)
    for logarithm, part in _logarithms(written):
        logarithm(part, out=part)
    for kind, last in given.items():
        for row, column in enumerate(last, moving[kind] - len(last)):
            getattr(written, kind)[row] = column
    finish(law, written)
    return written._asdict()


_READ = {
    **{name: f"{name}_gbps" for name in ("offered", "recent", "peak", "capacity", "carried")},
    **{name: f"{name}_gbit" for name in ("served", "expired", "queued")},
}


def _logarithms(written: Written) -> tuple[tuple[np.ufunc, np.ndarray], ...]:
    """The rows of the features that are logarithms."""
    demands, links = written.demands, written.links
    return (
        (np.log10, demands[0]),
        (np.log, demands[1:6]),
        (np.log1p, demands[6:9]),
        (np.log10, demands[11]),
        (np.log, demands[12:14]),
        (np.log10, written.tunnels[0]),
        (np.log10, links[0]),
        (np.log1p, links[2]),
        (np.log, written.globals[4]),
    )


def _floats(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, np.float32)
