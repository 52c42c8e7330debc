"""`bwalloc testbed`: allocators in the loop on real packets, beside the simulator."""

from __future__ import annotations

import math
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from bwalloc.bench.testbed.document import document
from bwalloc.bench.testbed.spaces import clean as clean_stale
from bwalloc.bench.testbed.testbed import Trial, Wanted, play_all, prepare
from bwalloc.cli.command import command_line
from bwalloc.cli.exit_codes import INTERRUPTED
from bwalloc.cli.outputs import check_outputs, write_json, writing
from bwalloc.cli.progress import progress_bar
from bwalloc.errors import BwallocError

WIDE = 132
FIGURES = ("served", "simulated", "SLO met", "simulated", "p99 queue", "lost", "net $/h",
           "+-", "simulated", "as it is", "loop p50", "p99 ms")  # fmt: skip


def run(
    env: str = "",
    *,
    plane: Literal["htb"] = "htb",
    allocators: Annotated[str, Parameter(help="names, comma separated")] = "",
    time_scale: float = 10.0,
    seconds: float = 60.0,
    repetitions: int = 3,
    seed: int = 0,
    split: str = "test",
    envs: Path | None = None,
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
    report: Annotated[Path | None, Parameter(name="--report")] = None,
    clean: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Play an environment as real packets between network namespaces, beside the simulator.

    Args:
        env: name or path of an environment.
        plane: what shapes the packets.
        allocators: which rules and agents; static, max-min, forecast, guarantee and the agents of
            the environment by default.
        time_scale: how much faster than the environment; 10 plays 10 s in 1 s.
        seconds: of packets that count in each run, by the clock of this machine.
        repetitions: runs of each allocator, all of the same episode.
        seed: of the episode.
        split: train, validation, test or ood.
        envs: a folder with environments of your own.
        json_file: write the results here.
        report: draw the results here, one HTML file.
        clean: only take away what testbeds left behind whose process is no more.
    """
    del plane
    if clean:
        for name in clean_stale():
            print(f"removed {name}")
        return 0
    if not env:
        msg = "Name an environment: bwalloc testbed metro-inference (bwalloc envs list)."
        raise BwallocError(msg)
    check_outputs(json=json_file, report=report)
    names = tuple(part.strip() for part in allocators.split(",") if part.strip())
    wanted = Wanted(env, names, time_scale, seconds, repetitions, seed, split, envs)
    testbed = prepare(wanted)
    print(_plan(testbed))
    with _terminable(), progress_bar(env) as tell:
        play_all(testbed, tell)
    if testbed.interrupted:
        print("bwalloc: interrupted; the testbed is taken down", file=sys.stderr)
    if not testbed.measured:
        return INTERRUPTED
    _publish(document(testbed, command_line()), json_file, report)
    return INTERRUPTED if testbed.interrupted else 0


def _plan(testbed: Trial) -> str:
    """What is built, in words."""
    network, timing = testbed.scenario.network, testbed.scenario.timing
    scale, period_s = testbed.scale, timing.interval_s / testbed.scale.time
    folded = [" + ".join(sites) for sites in testbed.spaces.values()]
    minutes = len(testbed.names) * testbed.wanted.repetitions * timing.intervals * period_s / 60
    return (
        f"{len(network.sites.name)} sites in {len(folded)} namespaces: {'; '.join(folded)}\n"
        f"{network.n_links} links, {int(network.tunnels.exists.sum())} tunnels; 1 Gbit/s is "
        f"{scale.rate * 1e3:g} Mbit/s, {timing.interval_s:g} s are {period_s:g} s\n"
        f"{timing.intervals} decisions a run, the first {timing.warmup_intervals} not counted; "
        f"about {minutes:.0f} min: {', '.join(testbed.names)}"
    )


def _publish(found: dict[str, Any], json_file: Path | None, report: Path | None) -> None:
    console = Console()
    if not sys.stdout.isatty():
        console.width = WIDE
    console.print(_table(found))
    for text in verdict_lines(found):
        console.print(text, highlight=False, markup=False)
    if json_file:
        write_json(json_file, found)
        print(f"results: {json_file}")
    if report:
        from bwalloc.bench.testbed.page import write_testbed

        with writing(report):
            write_testbed(report, found)
        print(f"report: {report}")


def _table(found: dict[str, Any]) -> Table:
    title = f"{found['env']}, {found['split']} episode {found['seed']}, on packets"
    table = Table(title=title, box=None, pad_edge=False)
    table.add_column("allocator", no_wrap=True)
    for name in FIGURES:
        table.add_column(name, justify="right")
    for name, row in found["allocators"].items():
        table.add_row(name, *cells(row))
    return table


def cells(row: dict[str, Any]) -> list[str]:
    """One allocator in figures; delays are those of its worst class, in seconds of the network.

    "simulated" is with what the plane makes of rates, "as it is" without.
    """
    packets, simulated = row["packets"], row["simulator_with_plane"]
    delays = [each["p99_queue_delay_s"]["mean"] for each in packets["classes"].values()]
    delay = max((each for each in delays if math.isfinite(each)), default=float("nan"))
    spread = packets["net_usd_per_h"]["sd"]
    return [
        f"{packets['served_share']['mean']:.3f}",
        f"{simulated['served_share']:.3f}",
        f"{packets['slo_attainment']['mean']:.3f}",
        f"{simulated['slo_attainment']:.3f}",
        f"{delay:.2f} s",
        f"{100 * packets['lost_share']['mean']:.2f} %",
        f"{packets['net_usd_per_h']['mean']:.1f}",
        f"{spread:.1f}" if math.isfinite(spread) else "-",
        f"{simulated['net_usd_per_h']:.1f}",
        f"{row['simulator']['net_usd_per_h']:.1f}",
        f"{packets['loop_whole_ms']['p50']:.0f}",
        f"{packets['loop_whole_ms']['p99']:.0f}",
    ]


def verdict_lines(found: dict[str, Any]) -> list[str]:
    """Each target and whether it holds."""
    lines: list[str] = []
    for name, each in found["verdict"].items():
        value: Any = each["found"]
        if isinstance(value, list):
            said = "no other order" if each["holds"] else "no pair told apart"
            said = "not so: " + ", ".join(map(str, value)) if value else said
        else:
            said = f"{value:.4f}" if isinstance(value, float) else str(value)
        answer = "holds" if each["holds"] else "MISSED"
        lines.append(f"{name}: {answer} ({each['target']}; found {said})")
    return lines


@contextmanager
def _terminable() -> Generator[None]:
    """A plain `kill` takes the testbed down as Ctrl-C does."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
