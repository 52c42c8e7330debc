"""What is in force and what was counted, read back through `tc` and `ip`.

The `tc` of Debian 12 shows HTB classes as text even where JSON is asked for, so text is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from bwalloc.serve.planes.htb import tc
from bwalloc.serve.planes.htb.layout import ClassId, Layout, Port
from bwalloc.serve.planes.htb.rates import UNITS

SIZES = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}
CLASS = re.compile(
    r"^class htb (?P<major>[0-9a-f]+):(?P<minor>[0-9a-f]+) "
    r"(?:root|parent (?P<parent>[0-9a-f]+:[0-9a-f]*)) .*?"
    r"rate (?P<rate>\d+)(?P<rate_unit>[KMGTP]?)bit ceil (?P<ceil>\d+)(?P<ceil_unit>[KMGTP]?)bit"
    r".*\n Sent (?P<sent>\d+) bytes (?P<packets>\d+) pkt \(dropped (?P<dropped>\d+),.*"
    r"\n backlog (?P<backlog>\d+)(?P<backlog_unit>[KMG]?)b",
    re.MULTILINE,
)
FILTER = re.compile(r"^filter .*flowid (?P<major>[0-9a-f]+):(?P<minor>[0-9a-f]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ClassState:
    """One class: bit/s, and what was sent, dropped and waits since it was made."""

    parent: str | None
    rate: int
    ceil: int
    sent_bytes: int
    sent_packets: int
    dropped_packets: int
    backlog_bytes: int


@dataclass(frozen=True, slots=True)
class Dump:
    """Everything seen at one moment.

    Attributes:
        at_s: monotonic seconds.
        classes: of all ports.
        filters: by major number, the classes that filters lead to, in their order.
        up: by (namespace, interface), whether it is up; interfaces that are not there are left out.
    """

    at_s: float
    classes: dict[ClassId, ClassState] = field(default_factory=dict[ClassId, ClassState])
    filters: dict[int, list[int]] = field(default_factory=dict[int, list[int]])
    up: dict[tuple[str | None, str], bool] = field(
        default_factory=dict[tuple[str | None, str], bool]
    )

    def is_there(self, port: Port) -> bool:
        """Whether its interface exists."""
        return (port.netns, port.interface) in self.up

    def is_up(self, port: Port) -> bool:
        """Whether its interface exists, is up, and has a carrier."""
        return self.up.get((port.netns, port.interface), False)


def look(layout: Layout, at_s: float) -> Dump:
    """See all ports.

    Raises:
        PlaneError: A namespace cannot be entered.
    """
    dump, spaces = Dump(at_s), layout.namespaces
    links = [partial(tc.links, netns) for netns in spaces]
    shows = [partial(_shown, layout.ports_in(netns), netns, filters=True) for netns in spaces]
    texts = tc.at_once([*links, *shows])
    for netns, text in zip(spaces, texts, strict=False):
        dump.up.update({(netns, name): up for name, up in read_links(text).items()})
    for text in texts[len(links) :]:
        dump.classes.update(read_classes(text))
        dump.filters.update(read_filters(text))
    return dump


def look_at_classes(layout: Layout, ports: Sequence[Port]) -> dict[ClassId, ClassState]:
    """Only the classes, and only of some ports."""
    by_space = {
        netns: [port for port in ports if port.netns == netns] for netns in layout.namespaces
    }
    shows = [partial(_shown, some, netns) for netns, some in by_space.items() if some]
    found: dict[ClassId, ClassState] = {}
    for text in tc.at_once(shows):
        found.update(read_classes(text))
    return found


def _shown(ports: Sequence[Port], netns: str | None, *, filters: bool = False) -> str:
    lines = [f"class show dev {port.interface}" for port in ports]
    if filters:
        lines += [f"filter show dev {port.interface} parent {port.major:x}:" for port in ports]
    return tc.show(netns, lines, "-s")


def root_discipline(port: Port) -> str:
    """Kind and handle of what is at the root of an interface, like `htb 1:`; empty for nothing."""
    text = tc.show(port.netns, [f"qdisc show dev {port.interface} root"])
    found = re.search(r"^qdisc (\S+) (\S+)", text, re.MULTILINE)
    return f"{found[1]} {found[2]}" if found else ""


def read_classes(text: str) -> dict[ClassId, ClassState]:
    """HTB classes in what `tc -s class show` wrote."""
    found: dict[ClassId, ClassState] = {}
    for match in CLASS.finditer(text):
        part = match.groupdict()
        found[int(part["major"], 16), int(part["minor"], 16)] = ClassState(
            parent=part["parent"],
            rate=int(part["rate"]) * UNITS[part["rate_unit"]],
            ceil=int(part["ceil"]) * UNITS[part["ceil_unit"]],
            sent_bytes=int(part["sent"]),
            sent_packets=int(part["packets"]),
            dropped_packets=int(part["dropped"]),
            backlog_bytes=int(part["backlog"]) * SIZES[part["backlog_unit"]],
        )
    return found


def read_filters(text: str) -> dict[int, list[int]]:
    """The classes that filters lead to, by the major number of their discipline."""
    found: dict[int, list[int]] = {}
    for match in FILTER.finditer(text):
        found.setdefault(int(match["major"], 16), []).append(int(match["minor"], 16))
    return found


def read_links(text: str) -> dict[str, bool]:
    """Whether each interface is up and has a carrier, by name."""
    shown = json.loads(text or "[]")
    return {
        each["ifname"]: {"UP", "LOWER_UP"} <= set(each.get("flags", ()))
        for each in shown
        if "ifname" in each
    }
