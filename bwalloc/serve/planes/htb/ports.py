"""What state each interface is in: ours and sound, ours and damaged, empty, foreign, or gone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from bwalloc.serve.planes.htb.commands import rules
from bwalloc.serve.planes.htb.dump import Dump, root_discipline
from bwalloc.serve.planes.htb.layout import (
    FIRST_MAJOR,
    LAST_MAJOR,
    REST,
    ROOT,
    Layout,
    Port,
)

Condition: TypeAlias = Literal["sound", "damaged", "empty", "foreign", "missing"]
STRUCTURE = "structure.json"


def condition(dump: Dump, port: Port) -> Condition:
    """The state of a port; rates are not looked at.

    Its own root is asked for: with another plane file, classes of the same numbers may lie on
    another interface.
    """
    if not dump.is_there(port):
        return "missing"
    kind, _, handle = root_discipline(port).partition(" ")
    major = int(handle.rstrip(":") or "0", 16)
    if not major:
        return "empty"
    if kind != "htb" or not FIRST_MAJOR <= major <= LAST_MAJOR:
        return "foreign"
    return "sound" if major == port.major and is_sound(dump, port) else "damaged"


def is_sound(dump: Dump, port: Port) -> bool:
    """Whether all its classes are there, no others, and the filters lead to them as they should."""
    minors = {key[1] for key in dump.classes if key[0] == port.major}
    wanted = {ROOT, REST, *port.pools, *(leaf.minor for leaf in port.leaves)}
    flows = [leaf.minor for leaf in port.leaves for _ in rules(port, leaf)]
    return minors == wanted and sorted(dump.filters.get(port.major, [])) == sorted(flows)


def structure(layout: Layout) -> dict[str, str]:
    """A hash of what each port is made of, rates left out."""
    return {
        f"{port.netns or ''}/{port.interface}": hashlib.sha256(
            repr((port.major, port.pool_of, layout.queue_packets, _made_of(port))).encode()
        ).hexdigest()
        for port in layout.ports
    }


def remember(folder: Path, layout: Layout) -> None:
    """Write down what the ports were made of, for the process after this one."""
    path = folder / STRUCTURE
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(structure(layout)))
    draft.replace(path)


def remembered(folder: Path) -> Mapping[str, str]:
    """What the process before made its ports of; empty where that is not known."""
    try:
        found = json.loads((folder / STRUCTURE).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def same_as_remembered(folder: Path, layout: Layout) -> Iterable[Port]:
    """Ports that the process before made of the same."""
    known, wanted = remembered(folder), structure(layout)
    for port in layout.ports:
        key = f"{port.netns or ''}/{port.interface}"
        if known.get(key) == wanted[key]:
            yield port


def _made_of(port: Port) -> list[tuple[int, str, list[str]]]:
    return [(leaf.minor, leaf.name, list(rules(port, leaf))) for leaf in port.leaves]
