"""Readers of public topology formats; each gives a `Topology`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bwalloc.errors import TopologyError
from bwalloc.network.readers.graph import from_networkx, to_networkx
from bwalloc.network.readers.graphml import read as read_graphml
from bwalloc.network.readers.node_link import read as read_node_link

if TYPE_CHECKING:
    from bwalloc.network.topology import Topology

__all__ = ["from_networkx", "read_graphml", "read_node_link", "read_topology", "to_networkx"]


def read_topology(path: str | Path, **assumed: Any) -> Topology:
    """The topology in a `.graphml` or node-link `.json` file, plain or `.gz`."""
    name = Path(path).name.removesuffix(".gz")
    if name.endswith((".graphml", ".xml")):
        return read_graphml(path, **assumed)
    if name.endswith(".json"):
        return read_node_link(path, **assumed)
    msg = f"{path}: expected a .graphml or node-link .json file, plain or .gz."
    raise TopologyError(msg)
