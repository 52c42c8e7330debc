"""Serving: bundles of exported policies, their runtimes and sessions; it knows no simulator."""

from bwalloc.serve.agents import agents_for, find_agent, list_agents
from bwalloc.serve.bundle import Bundle, load_bundle, write_bundle
from bwalloc.serve.manifest import Manifest

__all__ = [
    "Bundle",
    "Manifest",
    "agents_for",
    "find_agent",
    "list_agents",
    "load_bundle",
    "write_bundle",
]
