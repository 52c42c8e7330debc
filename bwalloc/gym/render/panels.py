"""Beside the network: traffic over time, money by term, orders of capacity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.gym.render import palette
from bwalloc.money.ledger import TERMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bwalloc.gym.render.frame import SpanTier

NAMES = {
    "delivered": "delivered value",
    "expired": "expired work",
    "late": "lateness",
    "stall": "GPU stall",
    "bandwidth": "bandwidth bill",
    "egress": "egress",
    "churn": "churn",
}
ROUND = (1.0, 1.2, 1.6, 2.0, 2.4, 3.2, 4.0, 6.0, 8.0, 10.0)
TICKS_S = (86_400, 21_600, 7200, 3600, 1200, 600, 300, 180, 120, 60, 30, 20, 10, 5, 2, 1)
MOST_SPANS = 5
"""Rows of the table of orders; spans with something on order come first."""


class TrafficPanel:
    """Offered and served load of the recent intervals, on axes of their own.

    Args:
        axes: matplotlib axes.
        recent: how many intervals the panel is wide.
        interval_s: seconds of one.
    """

    def __init__(self, axes: Any, recent: int, interval_s: float) -> None:
        """Draw the empty panel."""
        from matplotlib.collections import PolyCollection

        self.axes, self.recent = axes, recent
        axes.set(xlim=(1 - recent, 0), facecolor=palette.CARD)
        for side in ("top", "left", "right"):
            axes.spines[side].set_visible(False)
        axes.spines["bottom"].set_color(palette.LINE)
        axes.tick_params(length=0, labelsize=8, labelcolor=palette.SOFT, pad=3)
        axes.grid(axis="y", color=palette.LINE, linewidth=0.7)
        axes.set_axisbelow(True)
        seconds = np.arange(4) * tick_s(recent * interval_s)
        axes.set_xticks(-seconds / interval_s, [ago(second) for second in seconds])
        axes.get_xticklabels()[0].set_ha("right")
        axes.set_xlim(1 - recent, 0)
        self.served = PolyCollection([], facecolor=palette.SERVED, alpha=0.55, linewidths=0)
        self.short = PolyCollection([], facecolor=palette.SHORT, alpha=0.75, linewidths=0)
        for patch in (self.served, self.short):
            axes.add_collection(patch, autolim=False)
        (self.line,) = axes.plot([], [], color=palette.INK, linewidth=1.3)

    def update(self, offered_gbps: np.ndarray, served_gbps: np.ndarray, free: int = 0) -> None:
        """Show the recent intervals, oldest first, both (n,); the last `free` places stay empty."""
        x = np.arange(1 - len(offered_gbps), 1) - free
        self.served.set_verts(_band(x, np.zeros(len(x)), served_gbps))
        self.short.set_verts(_band(x, served_gbps, np.maximum(offered_gbps, served_gbps)))
        self.line.set_data(x, offered_gbps)
        top = max(offered_gbps.max(initial=0.0), served_gbps.max(initial=0.0))
        self.set_top(round_up(1.08 * top))

    def set_top(self, gbps: float) -> None:
        """Highest load that fits, and the lines below it."""
        self.axes.set_ylim(0, gbps)
        ticks = np.linspace(0, gbps, 5)
        self.axes.set_yticks(ticks, [f"{tick:g}" for tick in np.round(ticks, 6)])


class MoneyPanel:
    """Net of the episode, of the interval, and one bar per term, on axes that measure pixels."""

    def __init__(self, axes: Any, size: tuple[float, float]) -> None:
        """Draw the names of the terms."""
        axes.set(xlim=(0, size[0]), ylim=(size[1], 0))
        axes.axis("off")
        width, height = size
        self.left, self.room = 104.0, width - 104.0 - 66.0
        text = {"va": "center", "color": palette.INK}
        self.net = axes.text(0, 17, "", size=21, weight="bold", **text)
        self.last = axes.text(width, 21, "", size=9, ha="right", va="center", color=palette.SOFT)
        rows = np.linspace(56, height - 9, len(TERMS))
        self.bars, self.amounts = {}, {}
        for name, y in zip(TERMS, rows, strict=True):
            axes.text(0, y, NAMES[name], size=8.5, va="center", color=palette.SOFT)
            colour = palette.GAIN if name == "delivered" else palette.COST
            self.bars[name] = axes.barh([y], [0.0], left=self.left, height=9, color=colour)[0]
            self.amounts[name] = axes.text(width, y, "", size=8.5, ha="right", **text)

    def update(self, net_usd: float, reward_usd: float, terms_usd: Mapping[str, float]) -> None:
        """Show the money; bars share one scale, the largest term filling it."""
        self.net.set_text(usd(net_usd))
        self.last.set_text(f"last interval {usd(reward_usd, '+')}")
        largest = max([*terms_usd.values(), 1e-9])
        for name in TERMS:
            amount = float(terms_usd.get(name, 0.0))
            self.bars[name].set_width(self.room * amount / largest)
            sign = "+" if name == "delivered" else "-"
            self.amounts[name].set_text(f"{sign}{amount:,.2f}" if amount >= 0.005 else "0")


class OrdersPanel:
    """Tiers of spans as bars, what is on order as an outline, on axes that measure pixels."""

    def __init__(self, axes: Any, size: tuple[float, float]) -> None:
        """Draw empty rows."""
        axes.set(xlim=(0, size[0]), ylim=(size[1], 0))
        axes.axis("off")
        self.room = size[0] - 110.0 - 84.0
        self.names, self.texts, self.tiers, self.pending = [], [], [], []
        for y in np.linspace(8, size[1] - 8, MOST_SPANS):
            text = {"size": 8.5, "va": "center"}
            self.names.append(axes.text(0, y, "", color=palette.SOFT, **text))
            self.texts.append(axes.text(size[0], y, "", ha="right", color=palette.INK, **text))
            row = {"left": 110.0, "height": 9}
            self.tiers.append(axes.barh([y], [0.0], color=palette.SERVED, **row)[0])
            outline = {"fill": False, "edgecolor": palette.BACKLOG, "linewidth": 1.4}
            self.pending.append(axes.barh([y], [0.0], **outline, **row)[0])

    def update(self, spans: Sequence[SpanTier]) -> None:
        """Show the spans with orders first, then the largest, as many as there is room for."""
        ranked = sorted(spans, key=lambda span: (span.pending_gbps is None, -span.tier_gbps))
        largest = max([1e-9, *(max(s.tier_gbps, s.pending_gbps or 0.0) for s in spans)])
        for row in range(MOST_SPANS):
            span = ranked[row] if row < len(ranked) else None
            self._show(row, span, self.room / largest)

    def _show(self, row: int, span: SpanTier | None, px_per_gbps: float) -> None:
        wanted = None if span is None else span.pending_gbps
        self.names[row].set_text("" if span is None else shortened(span.name, 17))
        self.tiers[row].set_width(0.0 if span is None else px_per_gbps * span.tier_gbps)
        self.pending[row].set_width(0.0 if wanted is None else px_per_gbps * wanted)
        self.pending[row].set_visible(wanted is not None)
        tier = "" if span is None else f"{span.tier_gbps:g}"
        self.texts[row].set_text(
            tier if wanted is None else f"{tier} \N{RIGHTWARDS ARROW} {wanted:g}"
        )


def _band(x: np.ndarray, low: np.ndarray, high: np.ndarray) -> list[np.ndarray]:
    if len(x) < 2:
        return []
    return [np.column_stack([np.r_[x, x[::-1]], np.r_[low, high[::-1]]])]


def round_up(value: float) -> float:
    """The next number whose quarters are round; 1 for nothing."""
    if not value > 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step * power for step in ROUND if step * power >= value))


def tick_s(span_s: float) -> float:
    """Seconds between the marks of a time axis so that three of them fit on `span_s`."""
    return next((step for step in TICKS_S if 3 * step <= span_s), TICKS_S[-1])


def usd(amount: float, sign: str = "-") -> str:
    """Dollars and cents; `sign` "+" shows the sign of gains as well."""
    before = "-" if amount < 0 else "+" if sign == "+" else ""
    return f"{before}${abs(amount):,.2f}"


def ago(seconds: float) -> str:
    """How long before now."""
    if seconds < 1:
        return "now"
    if seconds < 120:
        return f"-{seconds:.0f} s"
    return f"-{seconds / 60:.0f} min" if seconds < 7200 else f"-{seconds / 3600:.0f} h"


def shortened(text: str, most: int) -> str:
    """The text, its end replaced by dots where it is too long."""
    return text if len(text) <= most else text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"
