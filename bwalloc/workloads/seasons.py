"""Seasons: how much a rate is above or below its mean by local hour and day of the week."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.workloads.columns import Column, as_column

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from bwalloc.workloads.clock import Clock

# Means by hour of the day (hour 0 first, mean 1). ServeGen (Alibaba, Apache-2.0; Xiang et al.,
# NSDI 2026): m-large, m-small, mm-image; its time zone is not published. Helios Venus (SenseTime,
# CC-BY-4.0): GPU job submissions of an office, with lunch and dinner dips. Calibrated here.
_BY_HOUR = {
    "m-large": ".99 1.00 .99 .94 .91 .88 .85 .82 .79 .87 1.05 1.11 "
    ".97 .98 1.05 1.05 1.11 1.08 1.04 1.14 1.13 1.07 1.10 1.09",
    "m-small": ".84 .71 .73 .68 .71 .66 .68 .85 1.02 1.05 1.13 1.09 "
    "1.06 1.07 1.06 1.05 1.09 1.08 1.01 1.23 1.46 1.40 1.27 1.06",
    "mm-image": ".59 .89 1.12 .87 .97 .94 .87 .92 .87 1.11 1.33 1.25 "
    "1.08 1.10 1.26 1.30 1.35 1.06 .89 .92 1.02 .89 .83 .60",
    "office": ".90 .66 .60 .38 .27 .21 .19 .22 .37 .80 1.29 1.47 "
    "1.16 1.30 1.56 1.66 1.73 1.73 1.28 1.31 1.34 1.36 1.15 1.04",
}
# Log-amplitude and local peak hour of the 24-hour and the 12-hour harmonic: amplitudes over the
# 14 days of ServeGen m-large (b2b) and m-small (consumer), peaks from their shapes above.
_HARMONICS = {"b2b": (0.14, 19.0, 0.05, 0.4), "consumer": (0.23, 17.1, 0.20, 9.8)}
# Venus, Monday first. The other shapes have no measured weekday.
_BY_DAY = {"office": (1.02, 1.11, 1.27, 1.20, 0.95, 0.68, 0.77)}
NIGHT_H = (22, 6)
"""Local hours at which the night begins and ends."""

SEASONS = ("flat", *_BY_HOUR, *_HARMONICS, "night")
"""Known seasons: `flat`, measured shapes, harmonics, and a `night` window (22:00 to 06:00)."""


@cache
def _week(name: str) -> Float[np.ndarray, " 168"]:
    """Factor in each local hour of the week, mean 1."""
    if name in _HARMONICS:
        day_log, day_h, half_log, half_h = _HARMONICS[name]
        angle = 2.0 * np.pi / 24.0 * (np.arange(24) + 0.5 - np.array([[day_h], [half_h]]))
        day = np.exp(day_log * np.cos(angle[0]) + half_log * np.cos(2.0 * angle[1]))
    elif name in _BY_HOUR:
        day = np.array([float(cell) for cell in _BY_HOUR[name].split()])
    elif name == "night":
        hours = np.arange(24)
        day = ((hours >= NIGHT_H[0]) | (hours < NIGHT_H[1])).astype(np.float64)
    else:
        day = np.ones(24)
    week = np.outer(_BY_DAY.get(name, (1.0,) * 7), day).ravel()
    return (week / week.mean()).astype(np.float32)


def season_factors(
    names: Sequence[str], utc_offset_h: Column, clock: Clock
) -> Float[np.ndarray, "steps columns"]:
    """Mean-one factors by local time, linear between the middles of the hours.

    Args:
        names: Season of each column, of `SEASONS`.
        utc_offset_h: Local time less UTC, in hours.
        clock: Steps at whose start the factors hold.
    """
    factors = np.ones((clock.steps, len(names)), np.float32)
    offsets = as_column(utc_offset_h, len(names)).tolist()
    kinds: dict[tuple[str, float], list[int]] = {}
    for column, kind in enumerate(zip(names, offsets, strict=True)):
        kinds.setdefault(kind, []).append(column)
    for (name, offset), columns in kinds.items():
        if name != "flat":
            factors[:, columns] = _path(name, offset, clock)[:, None]
    return factors


def is_night(utc_offset_h: Column, clock: Clock, columns: int) -> Bool[np.ndarray, "steps columns"]:
    """Whether it is night (`NIGHT_H`) at each column's place at the start of each step."""
    hours = clock.local_hours(as_column(utc_offset_h, columns)) % 24.0
    return (hours >= NIGHT_H[0]) | (hours < NIGHT_H[1])


def _path(name: str, offset_h: float, clock: Clock) -> Float[np.ndarray, " steps"]:
    """The factors of one season at one place."""
    hours = clock.local_hours(np.array([offset_h], np.float32))[:, 0] - 0.5
    before = np.floor(hours)
    part = (hours - before).astype(np.float32)
    index = before.astype(np.intp) % 168
    week = _week(name)
    return week[index] + part * (week[(index + 1) % 168] - week[index])
