"""Serving: bundles of exported policies, their runtimes and supervisors; it knows no simulator."""

from bwalloc.allocate.limits import Limits
from bwalloc.allocate.limits_file import read_limits
from bwalloc.serve.agents import agents_for, find_agent, list_agents
from bwalloc.serve.bundle import Bundle, load_bundle, write_bundle
from bwalloc.serve.clock import Clock, ReplayClock, SystemClock
from bwalloc.serve.manifest import Manifest
from bwalloc.serve.status import SOURCES, Status
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
