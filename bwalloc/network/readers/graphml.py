"""Reader of GraphML as the Internet Topology Zoo writes it (Knight et al., JSAC 2011)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

import networkx as nx

from bwalloc.errors import TopologyError
from bwalloc.network.readers.files import read_text, stem_of
from bwalloc.network.readers.graph import from_networkx

if TYPE_CHECKING:
    from bwalloc.network.topology import Topology


def read(path: str | Path, **assumed: Any) -> Topology:
    """The topology in a GraphML file; `assumed` are the keywords of `from_networkx`.

    Most files of the Topology Zoo hold no capacities: give `default_capacity_gbps`.

    Raises:
        TopologyError: If the file is absent, is no GraphML, or lacks capacities.
    """
    file = Path(path)
    assumed = {"name": stem_of(file), **assumed}
    try:
        graph = nx.parse_graphml(read_text(file))
    except (ParseError, nx.NetworkXError, KeyError, ValueError) as error:
        if isinstance(error, TopologyError):
            raise
        msg = f"{file}: is not GraphML ({error})."
        raise TopologyError(msg) from None
    try:
        return from_networkx(graph, **assumed)
    except TopologyError as error:
        msg = f"{file}: {error}"
        raise TopologyError(msg) from None
