"""Rates as HTB holds and `tc` shows them: whole bits per second, 64 of them, in few digits."""

from __future__ import annotations

MOST_BPS = 2**62
"""The kernel counts bytes per second in 64 bits."""
UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}


def shown(bps: int) -> int:
    """The rate, at most `bps`, that is kept and shown in full; at most a thousandth is lost.

    The kernel counts whole bytes, and `tc` leaves digits out where a number has more than six
    (print_rate of iproute2); what is in force could not be told from what was asked for.

    >>> shown(14_300), shown(1_234_567)
    (14296, 1234000)
    >>> shown(50_123_456_789)
    50123000000
    """
    value, scale = min(bps, MOST_BPS) // 8 * 8, 1
    while value >= 1000 and (value % 1000 == 0 or value >= 10**6):
        value //= 1000
        scale *= 1000
    return value * scale


def bits(gbps: float, scale: float = 1.0) -> int:
    """Gbit/s of the network in bit/s of the plane."""
    return round(min(gbps * scale * 1e9, MOST_BPS))
