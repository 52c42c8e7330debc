"""A three-state Markov-modulated rate: silence, work and bursts of seconds, as coding tools make.

A path needs no loop over its steps: a uniform picks a map from the three states to the three
states, maps are integers 0 to 26, and a 27 x 27 table composes them, block by block.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.workloads.counts import compiled_twins

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from bwalloc.workloads.clock import Clock

# Fitted to the code trace of Azure LLM inference 2023 (CC-BY-4.0; Patel et al., Splitwise,
# ISCA 2024) at 1 s: requests/s by state, and the probabilities of the next state, row by row.
STATE_RPS = (0.0, 6.81, 22.45)
NEXT_STATE = ((0.954, 0.044, 0.002), (0.144, 0.783, 0.073), (0.051, 0.303, 0.646))

_STATES_OF_MAP = np.array([(m % 3, m // 3 % 3, m // 9) for m in range(27)])
# _COMPOSED[27 * first + then] is 27 * (the map that applies `first`, then `then`).
_COMPOSED = 27 * (_STATES_OF_MAP[:, _STATES_OF_MAP] @ (1, 3, 9)).T.ravel()
_APPLIED = _STATES_OF_MAP.ravel()  # [map * 3 + state]


def mmpp(
    rng: np.random.Generator, clock: Clock, columns: int, stretch: float = 1.0
) -> Float[np.ndarray, "steps columns"]:
    """Mean-one factor on a request rate that switches between silence, work and bursts.

    The chain moves once a second, whatever the step; longer steps hold the mean over the step.
    Silence, work and bursts last `stretch` times as long as in the trace it was calibrated to
    (Azure LLM inference 2023, code, CC-BY-4.0), at the same share of time; at least 1.
    """
    seconds = int(np.ceil(clock.duration_s))
    share, factors = _law()
    walk = _plain_walk if compiled_twins() is None else _compiled_walk
    path = walk(rng, seconds, columns, share, factors, stretch)
    return path if clock.step_s == 1.0 else _mean_over_steps(path, clock)


def _compiled_walk(
    rng: np.random.Generator,
    seconds: int,
    columns: int,
    share: Float[np.ndarray, " 3"],
    factors: Float[np.ndarray, " 3"],
    stretch: float,
) -> Float[np.ndarray, "seconds columns"]:
    """`_plain_walk`, compiled."""
    start, uniforms = _drawn(rng, seconds, columns, share)
    path = np.empty((seconds, columns), np.float32)
    compiled_twins().walked(uniforms, start, *_thresholds(stretch), factors, path)
    return path


def _plain_walk(
    rng: np.random.Generator,
    seconds: int,
    columns: int,
    share: Float[np.ndarray, " 3"],
    factors: Float[np.ndarray, " 3"],
    stretch: float,
) -> Float[np.ndarray, "seconds columns"]:
    """Factor of the state (0, 1 or 2) in each second, from a stationary start."""
    start, uniforms = _drawn(rng, seconds, columns, share)
    length = _block_length(seconds)
    blocks = len(uniforms) // length
    maps = _maps(uniforms, stretch)
    reached = maps.reshape(blocks, length, columns).transpose(1, 0, 2).astype(np.intp, order="C")
    reached[0] *= 27
    for i in range(1, length):
        reached[i] = _COMPOSED.take(reached[i - 1] + reached[i], mode="clip")
    reached //= 9  # 3 * map
    entry = np.empty((blocks, columns), np.intp)
    entry[0] = start
    for b in range(1, blocks):
        entry[b] = _APPLIED.take(reached[-1, b - 1] + entry[b - 1], mode="clip")
    reached += entry
    states = _APPLIED.take(reached)
    return factors[states.transpose(1, 0, 2).reshape(-1, columns)[:seconds]]


def _drawn(
    rng: np.random.Generator, seconds: int, columns: int, share: Float[np.ndarray, " 3"]
) -> tuple[Int[np.ndarray, " columns"], Float[np.ndarray, "uniforms columns"]]:
    """State before the first second, and a uniform a second, in whole blocks."""
    start = np.searchsorted(np.cumsum(share)[:2], rng.random(columns))
    length = _block_length(seconds)
    whole = -(-seconds // length) * length
    return start, rng.random((whole, columns), dtype=np.float32)


def _block_length(seconds: int) -> int:
    return max(1, round(seconds**0.5))


def _next_state(stretch: float) -> Float[np.ndarray, "3 3"]:
    """Probabilities of the next state where every state lasts longer; the shares stay."""
    if stretch == 1.0:
        return np.array(NEXT_STATE)  # to the last bit: published worlds hang on it
    return np.eye(3) + (np.array(NEXT_STATE) - np.eye(3)) / stretch


@cache
def _thresholds(stretch: float) -> tuple[Float[np.ndarray, " 3"], Float[np.ndarray, " 3"]]:
    """By state: the uniforms up to which the next state is 0, and up to which it is 1 or 0."""
    low, high = np.cumsum(_next_state(stretch), axis=1)[:, :2].T.astype(np.float32)
    return np.ascontiguousarray(low), np.ascontiguousarray(high)


@cache
def _law() -> tuple[Float[np.ndarray, " 3"], Float[np.ndarray, " 3"]]:
    """Share of time in each state, and its factor."""
    share = _stationary()
    return share, (np.array(STATE_RPS) / (share @ np.array(STATE_RPS))).astype(np.float32)


def _maps(
    uniforms: Float[np.ndarray, "seconds columns"], stretch: float
) -> Int[np.ndarray, "seconds columns"]:
    """Number of the random map that each uniform picks: state i goes to its next by row i."""
    maps = np.zeros(uniforms.shape, np.uint8)
    for row, weight in zip(np.cumsum(_next_state(stretch), axis=1)[:, :2], (1, 3, 9), strict=True):
        for threshold in row:
            maps += (uniforms > np.float32(threshold)).view(np.uint8) * np.uint8(weight)
    return maps


def _stationary() -> Float[np.ndarray, " 3"]:
    """Share of time in each state."""
    share = np.linalg.matrix_power(np.array(NEXT_STATE), 4096)[0]
    return share / share.sum()


def _mean_over_steps(
    path: Float[np.ndarray, "seconds columns"], clock: Clock
) -> Float[np.ndarray, "steps columns"]:
    """Mean of a path of one-second pieces over each step of `clock`."""
    total = np.zeros((path.shape[0] + 1, path.shape[1]))
    np.cumsum(path, axis=0, dtype=np.float64, out=total[1:])
    edges = np.minimum(np.arange(clock.steps + 1) * clock.step_s, path.shape[0])
    whole = np.minimum(edges.astype(np.intp), path.shape[0] - 1)
    reached = total[whole] + (edges - whole)[:, None] * path[whole]
    return (np.diff(reached, axis=0) / clock.step_s).astype(np.float32)
