"""The rhythm of loads: how far apart bursts begin, and when the next one is due.

Rounds of training jobs, copies and backups follow clocks of their own; what must be reserved before
they begin can be known from the ones before. Runs on NumPy and torch, batch last.
"""

from __future__ import annotations

from bwalloc.arrays import Array, namespace, stacked

ROWS = 5
"""Age of the last beginning and silence since the last burst, in intervals; and running means over
gaps: the weight gathered, the gap, its square."""
STEEP = 2.0
"""Times the trailing mean from which a load is a burst."""
RECALL = 0.25
"""Weight of the newest gap."""
FAR = 12.0
"""Intervals until a burst that nothing is known of."""


def updated(rhythm: Array, offered_gbps: Array, trailing_gbps: Array) -> Array:
    """Remember one more interval.

    Args:
        rhythm: what is remembered, (ROWS, demands, B); zeros at the start.
        offered_gbps: load of the interval, (demands, B).
        trailing_gbps: trailing mean of the load before it, (demands, B).
    """
    age, quiet, weight, gap, square = rhythm
    is_burst = (offered_gbps > STEEP * trailing_gbps) * (age * 0 + 1)
    begins = is_burst * (quiet > 0)
    share = RECALL * begins * (age > 0)
    return stacked(
        [
            begins + (1 - begins) * (age > 0) * (age + 1),
            (1 - is_burst) * (quiet + 1),
            weight + share * (1 - weight),
            gap + share * (age - gap),
            square + share * (age * age - square),
        ]
    )


def rhythm_features(rhythm: Array) -> list[Array]:
    """What `RHYTHM_FEATURES` lists, before it is clipped, (demands, B) each."""
    age, _, weight, gap, square = rhythm
    xp = namespace(age)
    is_known = (weight > 0) * (age * 0 + 1)
    weight = weight + (1 - is_known)
    mean = gap / weight + (1 - is_known)
    spread = xp.sqrt((square / weight - gap * gap / (weight * weight)).clip(0))
    return [
        is_known * age / mean,
        is_known * (mean - age) + (1 - is_known) * FAR,
        xp.log10(mean),
        spread / mean + (1 - is_known),
    ]
