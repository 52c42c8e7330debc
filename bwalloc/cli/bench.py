"""`bwalloc bench`: how fast it is on this machine."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from bwalloc.bench.env_speed import bench_env, peak_memory_mib
from bwalloc.cli.outputs import check_outputs, write_json
from bwalloc.errors import BwallocError
from bwalloc.scenario import load_scenario

app = App(name="bench", help="Measure speed on this machine, and quality on public matrices.")
app.command("bwalloc.cli.bench_te:run", name="te")


@app.command(name="env")
def env_speed(
    name: str = "metro-inference",
    *,
    seconds: float = 3.0,
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
) -> None:
    """Env-steps per second of the simulator: decode, dynamics, money and resets.

    Args:
        name: name or path of an environment.
        seconds: length of each measurement.
        json_file: write the figures here.
    """
    if not 0.0 < seconds < math.inf:
        msg = f"--seconds {seconds:g}: expected a finite number above 0, such as 3."
        raise BwallocError(msg)
    check_outputs(json=json_file)
    speeds = bench_env(load_scenario(name), seconds)
    table = Table("batch", "threads", "code", "env-steps/s", "per reference loop", box=None)
    for speed in speeds:
        table.add_row(
            str(speed.batch),
            str(speed.threads),
            "compiled" if speed.compiled else "NumPy",
            f"{speed.steps_per_s:,.0f}",
            f"{speed.reference_ratio:.2f}",
        )
    Console().print(table)
    print(f"peak memory {peak_memory_mib():.0f} MiB")
    if json_file:
        whole = {"env": name, "speeds": [asdict(speed) for speed in speeds]}
        write_json(json_file, {**whole, "memory_mib": peak_memory_mib()})
