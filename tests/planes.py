"""Plane files for networks of any size, and planes that only remember what they were told."""

import numpy as np
from hypothesis import strategies as st
from wide import wide

from bwalloc.errors import PlaneError
from bwalloc.serve.planes import Applied, PlaneFile


def file_for(network, links=None, *, tunnels=False, places=None, **options):
    """Every link (or those named) on an interface `p0`, `p1`, ...; demands told by their DSCP.

    `tunnels` tells those of a demand apart by their port.
    """
    named = network.links.name if links is None else links
    matches = []
    for row, name in enumerate(network.demands.name):
        whose = {"demand": name, "dscp": row % 64}
        if not tunnels:
            matches.append(whose)
            continue
        for tunnel in range(int(network.tunnels.exists[row].sum())):
            told = {"tunnel": tunnel, "protocol": "udp", "port": 5000 + tunnel}
            matches.append(whose | told)
    given = {
        "schema": 1,
        "links": {
            name: {"interface": f"p{row}", **(places or {})} for row, name in enumerate(named)
        },
        "matches": matches,
        **options,
    }
    return PlaneFile.model_validate(given)


@st.composite
def worlds(draw):
    """A network, some rounds of rates for it, feasible or not, and a mode of its links."""
    network = wide(draw(st.integers(1, 8)), draw(st.integers(1, 4)), seed=draw(st.integers(0, 99)))
    shape = network.tunnels.exists.shape
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    top = draw(st.sampled_from([0.0, 1e-6, 1.0, 30.0, 1e4]))
    rounds = [rng.uniform(0, top, shape) * (rng.random(shape) < 0.7) for _ in range(3)]
    return network, rounds, draw(st.sampled_from(["cap", "connection", "guarantee", None]))


class Recorder:
    """A plane without a network; `breaks` names what fails."""

    kind = "recorder"
    watchdog_pid = 77

    def __init__(self, measure=lambda: None):
        self.measure, self.applied, self.said, self.breaks = measure, [], [], set()
        self.faults = ()
        self.is_closed = False

    def read(self):
        if "read" in self.breaks:
            raise PlaneError(*["cannot be read"])
        return self.measure()

    def apply(self, decision):
        if "apply" in self.breaks:
            raise PlaneError(*["cannot be written"])
        if "internal" in self.breaks:
            raise ZeroDivisionError
        self.applied.append(decision)
        return Applied(3, 4)

    def notes(self):
        said, self.said = tuple(self.said), []
        return said

    def close(self):
        self.is_closed = True
