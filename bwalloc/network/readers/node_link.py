"""Reader of networkx node-link JSON (TEAL, POP, HARP, FIGRET), `links` or `edges`, plain or .gz."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import networkx as nx

from bwalloc.errors import TopologyError
from bwalloc.network.readers.files import read_text, stem_of
from bwalloc.network.readers.graph import from_networkx

if TYPE_CHECKING:
    from bwalloc.network.topology import Topology


def read(path: str | Path, **assumed: Any) -> Topology:
    """The topology in a node-link file; `assumed` are the keywords of `from_networkx`.

    Raises:
        TopologyError: If the file is absent, is no node-link JSON, or lacks capacities.
    """
    file = Path(path)
    assumed = {"name": stem_of(file), **assumed}
    try:
        data = json.loads(read_text(file))
    except json.JSONDecodeError as error:
        msg = f"{file}: is not JSON ({error})."
        raise TopologyError(msg) from None
    edges = next((key for key in ("links", "edges") if key in data), None)
    if not isinstance(data, dict) or edges is None or "nodes" not in data:
        msg = f"{file}: expected node-link JSON with 'nodes' and 'links' or 'edges'."
        raise TopologyError(msg)
    try:
        graph = nx.node_link_graph(data, edges=edges)
    except (KeyError, TypeError, nx.NetworkXError) as error:
        msg = f"{file}: a node or an edge lacks {error}."
        raise TopologyError(msg) from None
    try:
        return from_networkx(graph, **assumed)
    except TopologyError as error:
        msg = f"{file}: {error}"
        raise TopologyError(msg) from None
