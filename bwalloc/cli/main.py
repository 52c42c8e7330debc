"""The `bwalloc` command: finds the subcommand, and turns errors into one line and exit code 2."""

from __future__ import annotations

import os
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
# What a command is for stands here too: `bwalloc --help` imports none of them.
HELP = {
    "envs": "List the environments of the catalogue, or show one.",
    "compare": "Compare allocators on the same episodes, beside the references and a proven bound.",
    "plan": "Price every link, advise the upgrade that pays back first, and try it.",
    "record": "Record episodes of an environment as a Minari dataset for offline learning.",
    "train": "Train a policy; the same command goes on with a run that was stopped.",
    "sweep": "Train a recipe with several seeds and settings, here or on a cluster.",
    "search": "Search the keys of a recipe for those that earn most on validation.",
    "export": "Export the best policy of a run, measure it on the test split, and write its card.",
    "pack": "Write an exported agent as one file or as a folder, and sign it.",
    "verify": "Check hashes, golden vectors and runtimes of an exported agent, and time them.",
    "decide": "Print one decision of an exported policy as JSON.",
    "serve": "Decide over HTTP: telemetry in, decision out; with a page for operators and metrics.",
    "testbed": "Play allocators on real packets between network namespaces, beside the simulator.",
    "bench": "Measure speed on this machine, and quality on public matrices.",
}
for _name, _help in HELP.items():
    _kind = "app" if _name in ("envs", "bench") else "run"
    app.command(f"bwalloc.cli.{_name}:{_kind}", name=_name, help=_help)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (0, 2 for bad input, 130 for Ctrl-C)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with running(given):
            code = app(given, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except (BwallocError, CycloptsError) as error:
        print(f"bwalloc: {error}", file=sys.stderr)
        return BAD_INPUT
    except MemoryError as error:
        print(f"bwalloc: Out of memory ({error}); {LESS}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:  # whoever read has left: `bwalloc decide ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("bwalloc: interrupted", file=sys.stderr)
        return INTERRUPTED
    return code if isinstance(code, int) else 0
