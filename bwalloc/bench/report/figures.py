"""Numbers as a reader sees them, and the round numbers of an axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

MINUS = "\N{MINUS SIGN}"
MISSING = "\N{EN DASH}"


def amount(value: float | None, *, signed: bool = False) -> str:
    """Three digits or so: 1,234, 123, 12.3, 1.23; a dash for what is not a number."""
    if value is None or not math.isfinite(value):
        return MISSING
    size = abs(value)
    digits = next((d for limit, d in ((100, 0), (10, 1)) if round(size, 1) >= limit), 2)
    text = f"{size:,.{digits}f}"
    is_zero = not any(digit in text for digit in "123456789")
    sign = "" if is_zero else MINUS if value < 0 else "+" if signed else ""
    return sign + text


def share(value: float | None, digits: int = 1) -> str:
    """0.0512 as 5.1 %; the space does not break."""
    if value is None or not math.isfinite(value):
        return MISSING
    return f"{amount_fixed(100.0 * value, digits)}\N{NO-BREAK SPACE}%"


def counted(number: int, noun: str) -> str:
    """1 episode, 2 episodes."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(numbers: Sequence[int]) -> str:
    """A run of numbers as its ends, anything else one by one."""
    ends = f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else ""
    is_run = list(numbers) == list(range(numbers[0], numbers[0] + len(numbers))) if ends else False
    return ends if is_run else ", ".join(str(number) for number in numbers)


def amount_fixed(value: float | None, digits: int) -> str:
    """A number with a fixed count of digits and a proper minus."""
    if value is None or not math.isfinite(value):
        return MISSING
    return f"{value:,.{digits}f}".replace("-", MINUS)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers inside [low, high]."""
    width = high - low
    if not math.isfinite(width) or width <= 0.0:
        return [low]
    rough = width / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * f for f in (1.0, 2.0, 5.0, 10.0) if power * f >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def tick_label(value: float) -> str:
    """A tick without needless zeros."""
    return f"{value:,.6g}".replace("-", MINUS)
