"""The `bwalloc` command: finds the subcommand, and turns errors into one line and exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cyclopts import App
from cyclopts.exceptions import CycloptsError

import bwalloc
from bwalloc.cli.command import running
from bwalloc.cli.exit_codes import BAD_INPUT, INTERRUPTED
from bwalloc.errors import BwallocError

LESS = "ask for fewer episodes, intervals, substeps or demands."

app = App(
    name="bwalloc",
    help="Decide how much bandwidth each AI workload gets, before its demand is known.",
    version=bwalloc.__version__,
)
app.command("bwalloc.cli.envs:app", name="envs")
app.command("bwalloc.cli.compare:run", name="compare")
app.command("bwalloc.cli.record:run", name="record")
app.command("bwalloc.cli.train:run", name="train")
app.command("bwalloc.cli.export:run", name="export")
app.command("bwalloc.cli.verify:run", name="verify")
app.command("bwalloc.cli.bench:app", name="bench")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (0, 2 for bad input, 130 for Ctrl-C)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with running(given):
            code = app(given, exit_on_error=False, print_error=False, result_action="return_value")
    except (BwallocError, CycloptsError) as error:
        print(f"bwalloc: {error}", file=sys.stderr)
        return BAD_INPUT
    except MemoryError as error:
        print(f"bwalloc: Out of memory ({error}); {LESS}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("bwalloc: interrupted", file=sys.stderr)
        return INTERRUPTED
    return code if isinstance(code, int) else 0
