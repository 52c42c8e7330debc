"""One picture of an environment, kept and updated from frame to frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.gym.render import palette
from bwalloc.gym.render.frame import RECENT
from bwalloc.gym.render.legend import draw_site_key, draw_utilisation_key
from bwalloc.gym.render.network_view import NetworkView, full_backlog_gbit
from bwalloc.gym.render.panels import MoneyPanel, OrdersPanel, TrafficPanel, shortened
from bwalloc.gym.render.plotting import plain_style, require_matplotlib

if TYPE_CHECKING:
    from bwalloc.gym.render.frame import Frame
    from bwalloc.scenario import Scenario

WIDTH, HEIGHT, DPI = 960, 600, 100
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class Renderer:
    """Draws frames of one scenario; the same frame gives the same pixels.

    Args:
        scenario: what is drawn.
        figure: a matplotlib figure of `WIDTH` x `HEIGHT` pixels; a new one if None.

    Raises:
        BwallocError: matplotlib is not installed.
    """

    def __init__(self, scenario: Scenario, figure: Any = None) -> None:
        """Draw what does not change."""
        require_matplotlib()
        self.scenario = scenario
        with plain_style():
            self.figure = new_figure(WIDTH, HEIGHT) if figure is None else figure
            self.figure.set_facecolor(palette.PAGE)
            self._draw_header()
            self._draw_network()
            self.traffic, self.money, self.orders = self._side(has_orders=False)

    def draw(self, frame: Frame) -> np.ndarray:
        """The picture of a frame, uint8 (HEIGHT, WIDTH, 3)."""
        self.show(frame)
        with plain_style():
            self.figure.canvas.draw()
        return pixels(self.figure)

    def show(self, frame: Frame) -> None:
        """Bring the figure up to date without drawing it."""
        with plain_style():
            if frame.spans and self.orders is None:
                self._make_room_for_orders()
            self.network.update(frame.utilisation, frame.queued_gbit)
            self.traffic.update(frame.offered_gbps, frame.served_gbps)
            self.money.update(frame.net_usd, frame.reward_usd, frame.terms_usd)
            if self.orders is not None:
                self.orders.update(frame.spans)
            self._update_header(frame)

    def close(self) -> None:
        """Free the figure."""
        self.figure.clear()

    def _draw_header(self) -> None:
        axes = panel(self.figure, 0, 0, WIDTH, 62)
        axes.text(20, 24, self.scenario.id, size=14, weight="bold", va="center", color=palette.INK)
        self.caption = axes.text(20, 47, "", size=9, va="center", color=palette.SOFT)
        right = {"ha": "right", "va": "center"}
        self.clock = axes.text(
            WIDTH - 20, 24, "", size=14, weight="bold", color=palette.INK, **right
        )
        self.count = axes.text(WIDTH - 20, 47, "", size=9, color=palette.SOFT, **right)

    def _update_header(self, frame: Frame) -> None:
        self.caption.set_text(shortened(f"{self.scenario.title}. {frame.caption}", 112))
        self.clock.set_text(clock(frame.hour_of_week))
        self.count.set_text(f"interval {frame.interval} of {self.scenario.timing.intervals}")

    def _draw_network(self) -> None:
        topology = self.scenario.network.topology
        card(self.figure, 16, 66, 604, 518)
        axes = panel(self.figure, 24, 72, 588, 454)
        full_gbit = full_backlog_gbit(topology, self.scenario.timing.interval_s)
        self.network = NetworkView(axes, topology, full_gbit, (588, 454))
        keys = panel(self.figure, 24, 528, 588, 50)
        draw_utilisation_key(keys, 8, 14)
        draw_site_key(keys, topology.sites.kind, 8, 36)

    def _side(self, *, has_orders: bool) -> tuple[TrafficPanel, MoneyPanel, OrdersPanel | None]:
        high = 168 if has_orders else 236
        self.side = [card(self.figure, 632, 66, 312, high)]
        heading = panel(self.figure, 648, 74, 280, 24)
        traffic_heading(heading)
        self.side.append(heading)
        box = (676, 106, 252, high - 66)
        traffic = TrafficPanel(axes_at(self.figure, *box), RECENT, self.scenario.timing.interval_s)
        top = 66 + high + 12
        tall = 584 - top - (140 if has_orders else 0)
        self.side += [traffic.axes, card(self.figure, 632, top, 312, tall)]
        size = (280, tall - 46)
        heading = panel(self.figure, 648, top + 8, 280, tall - 12)
        heading.text(0, 10, "Money so far, USD", size=9, weight="bold", va="center")
        axes = panel(self.figure, 648, top + 32, *size)
        self.side += [heading, axes]
        money = MoneyPanel(axes, size)
        return traffic, money, self._orders() if has_orders else None

    def _orders(self) -> OrdersPanel:
        card(self.figure, 632, 456, 312, 128)
        heading = panel(self.figure, 648, 462, 280, 118)
        heading.text(0, 10, "Tiers and orders, Gbit/s", size=9, weight="bold", va="center")
        return OrdersPanel(panel(self.figure, 648, 486, 280, 92), (280, 92))

    def _make_room_for_orders(self) -> None:
        for axes in self.side:
            axes.remove()
        self.traffic, self.money, self.orders = self._side(has_orders=True)


def new_figure(width: int, height: int) -> Any:
    """A figure that no window shows and pyplot does not count."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=palette.PAGE)
    FigureCanvasAgg(figure)
    return figure


def pixels(figure: Any) -> np.ndarray:
    """What was last drawn, uint8 (height, width, 3)."""
    return np.asarray(figure.canvas.buffer_rgba())[:, :, :3].copy()


def axes_at(figure: Any, left: float, top: float, width: float, height: float) -> Any:
    """Axes in pixels from the upper left corner of the figure."""
    wide, high = figure.get_size_inches() * DPI
    return figure.add_axes((left / wide, 1 - (top + height) / high, width / wide, height / high))


def panel(figure: Any, left: float, top: float, width: float, height: float) -> Any:
    """Axes without frame that measure pixels downwards."""
    axes = axes_at(figure, left, top, width, height)
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    return axes


def card(figure: Any, left: float, top: float, width: float, height: float) -> Any:
    """A white box with round corners."""
    from matplotlib.patches import FancyBboxPatch

    axes = panel(figure, left, top, width, height)
    style = "round,pad=0,rounding_size=9"
    box = FancyBboxPatch((1, 1), width - 2, height - 2, boxstyle=style)
    box.set(facecolor=palette.CARD, edgecolor=palette.LINE, linewidth=0.8)
    axes.add_patch(box)
    return axes


def traffic_heading(axes: Any) -> None:
    """The heading of the traffic panel, which is its legend as well."""
    parts = (
        ("Gbit/s ", palette.INK, "bold"),
        ("\N{EM DASH} offered", palette.INK, "normal"),
        ("\N{BLACK SQUARE} served", palette.SERVED, "normal"),
        ("\N{BLACK SQUARE} short", palette.SHORT, "normal"),
    )
    for x, (text, colour, weight) in zip((0, 66, 148, 218), parts, strict=True):
        axes.text(x, 12, text, size=9, weight=weight, va="center", color=colour)


def clock(hour_of_week: float) -> str:
    """Day and time, UTC."""
    seconds = round(hour_of_week * 3600) % (7 * 86_400)
    day, rest = divmod(seconds, 86_400)
    return f"{DAYS[day]} {rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d} UTC"
