"""Opens a plane by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from bwalloc.errors import PlaneError
from bwalloc.serve.planes.none import NoPlane

if TYPE_CHECKING:
    import numpy as np

    from bwalloc.network import Network
    from bwalloc.serve.planes.plane_file import PlaneFile
    from bwalloc.serve.planes.protocol import Plane

PlaneName: TypeAlias = Literal["none", "htb"]
PLANES: tuple[str, ...] = get_args(PlaneName)


def open_plane(
    name: PlaneName,
    network: Network,
    file: PlaneFile | None,
    static_gbps: np.ndarray,
    *,
    is_enforcing: bool = True,
) -> Plane:
    """A plane of a network.

    Args:
        name: which kind.
        network: whose links it enforces.
        file: what it is made of; needed by every kind but `none`.
        static_gbps: the table that holds when decisions stop, (demands, tunnels).
        is_enforcing: False only looks, and writes nothing.

    Raises:
        PlaneError: It cannot be opened as described.
    """
    if name == "none":
        return NoPlane()
    if file is None:
        msg = f"Plane '{name}' needs a file that says which interface carries which link."
        raise PlaneError(msg)
    from bwalloc.serve.planes.htb.plane import HtbPlane

    return HtbPlane(network, file, static_gbps, is_enforcing=is_enforcing)
