"""Planes: what measures and enforces, so that decisions meet packets.

- `protocol` is what every plane is; `none` measures and enforces nothing; `htb` is Linux's.
- `plane_file` describes one: which interface carries which link, which packets are whose.
- `loop` reads, decides and applies every interval; `book` is what it counts.
- `watchdog` is a process of its own that puts the static table back when decisions stop; `lease`
  is the controller's end of it, `renewal` keeps it off the loop, `processes` starts and ends it.
"""

from bwalloc.serve.books.status import PlaneStatus
from bwalloc.serve.planes.loop import PlaneLoop
from bwalloc.serve.planes.none import NoPlane
from bwalloc.serve.planes.opening import PLANES, open_plane
from bwalloc.serve.planes.plane_file import PlaneFile, read_plane_file
from bwalloc.serve.planes.protocol import Applied, Note, Plane

__all__ = [
    "PLANES",
    "Applied",
    "NoPlane",
    "Note",
    "Plane",
    "PlaneFile",
    "PlaneLoop",
    "PlaneStatus",
    "open_plane",
    "read_plane_file",
]
