"""`bwalloc bench`: how fast it is on this machine."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from bwalloc.bench.env_speed import bench_env, peak_memory_mib
from bwalloc.scenario import load_scenario

app = App(name="bench", help="Measure speed on this machine.")


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
        json_file.write_text(json.dumps({**whole, "memory_mib": peak_memory_mib()}, indent=1))
