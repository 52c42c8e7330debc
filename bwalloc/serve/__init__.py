"""Serving: bundles of exported policies, their runtimes and supervisors; it knows no simulator.

Where what is:

- `bundles`: `bundle` loads and checks one; `parts` and `archive` are its two forms, `manifest`,
  `signature`, `golden` and `onnx_graph` (`onnx_schema`, `protobuf`) what is checked; `agents` the
  catalogue.
- `policy`, one at work: `deployment` is a bundle bound to a network: a `session` (history,
  features), a `runtime` and a `worker` (its thread and deadline); `shadow` is one that decides
  beside.
- a decision: `deciding` goes from `telemetry` (`intake`: `freshness`, `loads`, `capacities`) over
  the `ladder` (`fallback`) and the `guard` to a `trusted` record, with `reasons`; `views` are what
  tenants see.
- `orders`: `spend` holds them to the caps (`prices`, `bill`, `approvals`).
- the `supervisor` is the face of all that; its `core` holds the parts, `binding` those of one
  network, `operator` what people said. `clock` is the time.
- `books`: `status` is the record it gives of itself, gathered by `report`, with `counters`;
  `chronicle` writes the lines of the `audit` log and reads back what the process before left.
- `planes` measure and enforce: `htb` on Linux interfaces, with a watchdog process beside.
- `http` puts it behind HTTP.
"""

from bwalloc.allocate.limits import Limits
from bwalloc.allocate.limits_file import read_limits
from bwalloc.serve.books.status import SOURCES, Status
from bwalloc.serve.bundles.agents import agents_for, find_agent, list_agents
from bwalloc.serve.bundles.bundle import Bundle, load_bundle, write_bundle
from bwalloc.serve.bundles.manifest import Manifest
from bwalloc.serve.clock import Clock, ReplayClock, SystemClock
from bwalloc.serve.supervisor import Supervisor
from bwalloc.serve.views import tenant_view

__all__ = [
    "SOURCES",
    "Bundle",
    "Clock",
    "Limits",
    "Manifest",
    "ReplayClock",
    "Status",
    "Supervisor",
    "SystemClock",
    "agents_for",
    "find_agent",
    "list_agents",
    "load_bundle",
    "read_limits",
    "tenant_view",
    "write_bundle",
]
