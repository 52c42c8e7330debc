"""`bwalloc bench`: how fast it is on this machine."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from bwalloc.bench.env_document import SECTIONS, bench_document
from bwalloc.cli.outputs import check_outputs, write_json
from bwalloc.errors import BwallocError, unknown_name

app = App(name="bench", help="Measure speed on this machine, and quality on public matrices.")
app.command("bwalloc.cli.bench_te:run", name="te")
app.command("bwalloc.cli.bench_decide:run", name="decide")


@app.command(name="env")
def env_speed(
    name: str = "metro-inference",
    *,
    section: tuple[str, ...] = ("simulator",),
    seconds: float = 3.0,
    mobile_python: Path | None = None,
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
) -> None:
    """Env-steps per second: decode, dynamics, money and resets; and through Gymnasium.

    Args:
        name: name or path of an environment.
        section: what to measure, several times or `all`: simulator; faces (Gymnasium, beside
            environments that do nothing); environments (1 to 1,024 in a batch); demands (50 to
            5,000); ppo (share of its time in the environment); mobile (mobile-env).
        seconds: length of each measurement.
        mobile_python: an interpreter with mobile-env installed, for its section.
        json_file: write the figures here.
    """
    if not 0.0 < seconds < math.inf:
        msg = f"--seconds {seconds:g}: expected a finite number above 0, such as 3."
        raise BwallocError(msg)
    for each in section:
        if each not in (*SECTIONS, "all"):
            known, remedy = [*SECTIONS, "all"], "Use one of them."
            raise unknown_name(kind="section", name=each, known=known, remedy=remedy)
    check_outputs(json=json_file)
    wanted = SECTIONS if "all" in section else section
    errors = Console(stderr=True)
    document = bench_document(
        name,
        wanted,
        seconds,
        mobile_python=mobile_python,
        told=lambda each: errors.print(f"measuring {each} ..."),
    )
    for each in SECTIONS:
        if each in document:
            _print(each, document[each])
    print(f"peak memory {document['memory_mib']:.0f} MiB")
    if json_file:
        write_json(json_file, document)


def _print(title: str, found: Any) -> None:
    """One table of a section, its columns the names of the figures."""
    rows = [_flat(row) for row in (found if isinstance(found, list) else [found])]
    table = Table(*rows[0], box=None, title=title, title_justify="left")
    for row in rows:
        table.add_row(*(_text(value) for value in row.values()))
    Console().print(table)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        flat.update(value if isinstance(value, dict) else {name: value})
    return flat


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)
