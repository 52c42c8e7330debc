"""bwalloc: decide, before the demand is known, how much bandwidth each AI workload gets.

The public face is `__all__`; names are imported when first used, so `import bwalloc` is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bwalloc.interrupt import quiet_command

quiet_command()  # before the imports that take time

from bwalloc.gym.registration import register_environments  # noqa: E402

if TYPE_CHECKING:
    from bwalloc.allocate import make_allocator
    from bwalloc.allocate.limits import Limits
    from bwalloc.allocate.limits_file import read_limits
    from bwalloc.bench import compare
    from bwalloc.control import Allocator, Decision, Session, Telemetry
    from bwalloc.errors import BwallocError
    from bwalloc.scenario import (
        environment_from_graph,
        list_scenarios,
        load_scenario,
        write_environment,
    )
    from bwalloc.serve import load_bundle
    from bwalloc.sim import Simulator

__version__ = "0.1.0"
__all__ = [
    "Allocator",
    "BwallocError",
    "Decision",
    "Limits",
    "Session",
    "Simulator",
    "Telemetry",
    "compare",
    "environment_from_graph",
    "list_scenarios",
    "load_bundle",
    "load_scenario",
    "make_allocator",
    "read_limits",
    "write_environment",
]

_HOME = {
    "Allocator": "control",
    "BwallocError": "errors",
    "Decision": "control",
    "Limits": "allocate.limits",
    "Session": "control",
    "Simulator": "sim",
    "Telemetry": "control",
    "compare": "bench",
    "environment_from_graph": "scenario",
    "list_scenarios": "scenario",
    "load_bundle": "serve",
    "load_scenario": "scenario",
    "make_allocator": "allocate",
    "read_limits": "allocate.limits_file",
    "write_environment": "scenario",
}


register_environments()


def __getattr__(name: str) -> Any:
    """Import a public name from its room when it is first asked for (PEP 562)."""
    if name not in _HOME:
        msg = f"module 'bwalloc' has no attribute '{name}'"
        raise AttributeError(msg)
    return getattr(import_module(f"bwalloc.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """The public names."""
    return sorted([*__all__, "__version__"])
