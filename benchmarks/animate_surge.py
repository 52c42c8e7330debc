"""Draw one surge under legacy provisioning and under another allocator: docs/images/surge.gif.

    python benchmarks/animate_surge.py [--allocator NAME] [--seed S] [--minutes M] [--out FILE.gif]

Both play the same episode of the test split from its first interval. Shown is the stretch with the
highest mean of offered load, of episode S or of the twelve of the published comparison; no
allocator is looked at in choosing it.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.allocate import make_rule
from bwalloc.bench.players import LEGACY
from bwalloc.bench.tasks import Setting, batches_of, history_of, scenario_of
from bwalloc.gym.render import palette
from bwalloc.gym.render.legend import draw_utilisation_key
from bwalloc.gym.render.network_view import NetworkView, full_backlog_gbit
from bwalloc.gym.render.panels import TrafficPanel, round_up, usd
from bwalloc.gym.render.picture import axes_at, card, clock, new_figure, panel, pixels
from bwalloc.gym.render.plotting import plain_style
from bwalloc.money import net_usd
from bwalloc.sim import Episodes, Simulator

if TYPE_CHECKING:
    from bwalloc.scenario import World

HOME = Path(__file__).parent.parent
WIDTH, HEIGHT, CARD = 900, 524, 432
FRAMES_PER_S = 8
EPISODES = 12
SHADES = (1.0, 0.75, 0.5, 0.34, 0.17)
STEP = 0.05


@dataclass(frozen=True, slots=True)
class Course:
    """An episode under one allocator: rows are intervals."""

    name: str
    offered_gbps: np.ndarray
    served_gbps: np.ndarray
    utilisation: np.ndarray
    queued_gbit: np.ndarray
    net_usd: np.ndarray
    hour_of_week: np.ndarray


def main() -> None:
    """Play, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", default="metro-inference")
    parser.add_argument("--allocator", default="stochastic-lp")
    parser.add_argument("--seed", type=int, help="default: the busiest of 0 to 11")
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--out", type=Path, default=HOME / "docs" / "images" / "surge.gif")
    parser.add_argument("--stills", type=Path, help="a folder for every tenth frame as PNG")
    given = parser.parse_args()
    several = Setting(env=given.env, split="test", episodes=EPISODES)
    count = round(given.minutes * 60 / scenario_of(several).timing.interval_s)
    chosen = several if given.seed is None else replace(several, episodes=1, seed=given.seed)
    seed, start = busiest(chosen, count)
    setting = replace(several, episodes=1, seed=seed)
    courses = [played(setting, name) for name in (LEGACY, given.allocator)]
    film = Film(setting, courses, start, count)
    pictures = [film.draw(row) for row in range(start, start + count)]
    given.out.parent.mkdir(parents=True, exist_ok=True)
    write_gif(pictures, given.out)
    if given.stills:
        write_stills(pictures, given.stills)
    size_kb = given.out.stat().st_size / 1000
    print(f"{given.out}: seed {seed}, {count} frames from interval {start}, {size_kb:.0f} kB")


def played(setting: Setting, name: str) -> Course:
    """The first episode of the setting under an allocator, as `compare` plays it."""
    batch = next(batches_of(setting))
    scenario, network = batch.scenario, batch.scenario.network
    rule = make_rule(name, network, history_of(scenario), scenario.tuned)
    simulator, episodes = Simulator(scenario), Episodes(batch.worlds)
    state = simulator.start(1)
    readings = simulator.first_readings(state, episodes)
    rule.reset(1)
    rows: list[tuple[Any, ...]] = []
    for _ in range(scenario.timing.intervals):
        step = simulator.step(state, rule.decide(readings), episodes)
        state, readings = step.state, step.readings
        queued = state.queued_gbit[:, :, 0].sum(1)
        rows.append(
            (
                readings.offered_gbps[:, 0].sum(),
                readings.served_gbit[:, 0].sum() / scenario.timing.interval_s,
                readings.carried_gbps[:, 0] / readings.capacity_gbps[:, 0].clip(1e-9),
                np.bincount(network.demands.source, queued, len(network.sites.name)),
                float(net_usd(step.terms)[0]),
                float(readings.hour_of_week[0]),
            )
        )
    return Course(name, *(np.array(column) for column in zip(*rows, strict=True)))


def busiest(setting: Setting, count: int) -> tuple[int, int]:
    """Seed and first interval of the `count` counted intervals to which most work arrives."""
    warmup = scenario_of(setting).timing.warmup_intervals
    worlds = [world for batch in batches_of(setting) for world in batch.worlds]
    loads = np.array([arrived(world)[warmup:] for world in worlds])
    sums = np.array([np.convolve(load, np.ones(count), "valid") for load in loads])
    row, first = np.unravel_index(sums.argmax(), sums.shape)
    return setting.seeds[row], warmup + int(first)


def arrived(world: World) -> np.ndarray:
    """Gbit that arrive in each interval."""
    jobs = 0.0 if world.jobs_gbit is None else world.jobs_gbit.sum((1, 2))
    return world.arrivals_gbit.sum((1, 2)) + jobs


class Film:
    """Two networks side by side, with their traffic and their money."""

    def __init__(self, setting: Setting, courses: list[Course], start: int, count: int) -> None:
        """Draw what does not change."""
        self.scenario = scenario_of(setting, setting.seed)
        self.courses, self.start = courses, start
        shown = courses[0].offered_gbps[start : start + count]
        self.top_gbps = round_up(float(shown.max()))
        with plain_style():
            self.figure = new_figure(WIDTH, HEIGHT)
            minutes = count * self.scenario.timing.interval_s / 60
            self._header(setting, f"its busiest {minutes:g} minutes")
            lefts = (12, WIDTH - 12 - CARD)
            self.halves = [
                Half(self.figure, left, self.scenario, course, count)
                for left, course in zip(lefts, courses, strict=True)
            ]
            keys = panel(self.figure, 0, HEIGHT - 32, WIDTH, 32)
            draw_utilisation_key(keys, 24, 14, 8.0)
            text = "violet: work that waits; money counts from the first frame"
            keys.text(WIDTH - 24, 14, text, size=8, va="center", ha="right", color=palette.SOFT)

    def draw(self, row: int) -> np.ndarray:
        """The picture after interval `row`."""
        with plain_style():
            for half, course in zip(self.halves, self.courses, strict=True):
                half.update(course, self.start, row)
                half.traffic.set_top(self.top_gbps)
            legacy, other = (c.net_usd[self.start : row + 1].sum() for c in self.courses)
            self.gain.set_text(f"{usd(other - legacy, '+')} with {self.courses[1].name}")
            self.clock.set_text(clock(self.courses[0].hour_of_week[row]))
            self.figure.canvas.draw()
        return pixels(self.figure)

    def _header(self, setting: Setting, stretch: str) -> None:
        axes = panel(self.figure, 0, 0, WIDTH, 58)
        title = "The same surge of AI traffic, allocated two ways"
        axes.text(24, 22, title, size=13.5, weight="bold", va="center", color=palette.INK)
        about = f"{self.scenario.id}, {setting.split} split, seed {setting.seed}: {stretch}"
        axes.text(24, 44, about, size=9, va="center", color=palette.SOFT)
        right = {"ha": "right", "va": "center"}
        self.gain = axes.text(
            WIDTH - 24, 22, "", size=13.5, weight="bold", color=palette.SITES["cloud"][1], **right
        )
        self.clock = axes.text(WIDTH - 24, 44, "", size=9, color=palette.SOFT, **right)


class Half:
    """One allocator: its name, its money, the network and the traffic."""

    def __init__(self, figure: Any, left: int, scenario: Any, course: Course, count: int) -> None:
        """Draw what does not change."""
        topology, interval_s = scenario.network.topology, scenario.timing.interval_s
        card(figure, left, 62, CARD, HEIGHT - 98)
        heading = panel(figure, left + 16, 70, CARD - 32, 42)
        heading.text(0, 12, course.name, size=12, weight="bold", va="center", color=palette.INK)
        about = f"decides again every {interval_s:g} s"
        about = "provisioned once, for the peak" if course.name == LEGACY else about
        heading.text(0, 32, about, size=8.5, va="center", color=palette.SOFT)
        right = {"ha": "right", "va": "center", "color": palette.INK}
        self.money = heading.text(CARD - 32, 14, "", size=17, weight="bold", **right)
        self.share = heading.text(CARD - 32, 34, "", size=8.5, **right)
        size = (CARD - 16.0, 262.0)
        full_gbit = full_backlog_gbit(topology, interval_s)
        axes = axes_at(figure, left + 8, 114, *size)
        self.network = NetworkView(axes, topology, full_gbit, size)
        heading = panel(figure, left + 16, 378, CARD - 32, 18)
        heading.text(0, 9, "Gbit/s offered,", size=8, va="center", color=palette.INK)
        heading.text(88, 9, "served,", size=8, va="center", color=palette.GAIN)
        heading.text(137, 9, "short", size=8, va="center", color=palette.SHORT)
        axes = axes_at(figure, left + 44, 402, CARD - 60, 62)
        self.traffic, self.count = TrafficPanel(axes, count, interval_s), count
        minutes = np.arange(0, count * interval_s / 60 + 1, 5)
        ticks = minutes * 60 / interval_s + 1 - count
        axes.set_xticks(ticks, [f"{minute:g} min" for minute in minutes])
        axes.set_xlim(1 - count, 1)
        first, *_, last = axes.get_xticklabels()
        first.set_ha("left")
        last.set_ha("right")

    def update(self, course: Course, start: int, row: int) -> None:
        """Show the course after interval `row`; money since `start`."""
        so_far = slice(start, row + 1)
        free = start + self.count - 1 - row
        full_gbit = self.network.full_gbit
        rings = in_steps(np.sqrt(course.queued_gbit[row] / full_gbit))
        self.network.update(in_steps(course.utilisation[row]), rings**2 * full_gbit)
        self.traffic.update(course.offered_gbps[so_far], course.served_gbps[so_far], free)
        self.money.set_text(usd(course.net_usd[so_far].sum()))
        share = course.served_gbps[so_far].sum() / course.offered_gbps[so_far].sum()
        self.share.set_text(f"{100 * share:.0f} % of the load served")


def in_steps(share: np.ndarray) -> np.ndarray:
    """Rounded down to steps that respect the colours; what hardly moves then takes no room."""
    return np.floor(share / STEP + 1e-6) * STEP


def write_gif(pictures: list[np.ndarray], path: Path) -> None:
    """One palette for all frames and no dither, so that only what moves takes room."""
    from PIL import Image

    colours = Image.new("P", (1, 1))
    colours.putpalette([channel for colour in gif_colours() for channel in colour])
    flat = [
        Image.fromarray(picture).quantize(palette=colours, dither=Image.Dither.NONE)
        for picture in pictures
    ]
    duration = [1000 // FRAMES_PER_S] * len(flat)
    duration[-1] = 2000
    flat[0].save(path, save_all=True, append_images=flat[1:], duration=duration, loop=0)


def gif_colours() -> list[tuple[int, ...]]:
    """The colours of the pictures and their shades on white, which draw the edges of lines."""
    named = {
        *palette.LEVELS[1:],
        *(colour for _, colour in palette.SITES.values()),
        *(palette.INK, palette.SOFT, palette.SHORT, palette.BACKLOG, palette.SERVED),
    }
    shades = [
        tuple(round(255 - share * (255 - int(name[i : i + 2], 16))) for i in (1, 3, 5))
        for name in sorted(named)
        for share in SHADES
    ]
    flat = [palette.PAGE, palette.CARD, palette.LINE, palette.LEVELS[0]]
    return [*(tuple(bytes.fromhex(name[1:])) for name in flat), *shades]


def write_stills(pictures: list[np.ndarray], folder: Path) -> None:
    """Every tenth frame, and the last."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for row in sorted({*range(0, len(pictures), 10), len(pictures) - 1}):
        Image.fromarray(pictures[row]).save(folder / f"frame-{row:03d}.png")


if __name__ == "__main__":
    main()
