"""Lines for `tc -batch`: what makes, changes and removes the classes of a port."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from bwalloc.serve.planes.htb.layout import FIRST_LEAF, FIRST_POOL, REST, ROOT, Layout, Leaf, Port
from bwalloc.serve.planes.plane_file import PROTOCOLS

if TYPE_CHECKING:
    from bwalloc.serve.planes.htb.order import Step
    from bwalloc.serve.planes.htb.table import Rates, Table
    from bwalloc.serve.planes.plane_file import Match

FRAME = 1514
LEAST_BURST, MOST_BURST = 2 * FRAME, 2**30
MOST_TURN, TURN_S = 65536, 1e-3
"""What the lightest class borrows in its turn: a millisecond of the link, up to the largest packet
that segmentation offload hands down. Below the size of packets, turns would be one packet each,
whatever the weights."""
MOST_WEIGHT = 32.0
"""Times the lightest: a turn must not last."""
REST_PRIORITY = 7


def setup(layout: Layout, port: Port, table: Table) -> list[str]:
    """Everything that an interface without a discipline of its own needs."""
    dev, major = port.interface, f"{port.major:x}"
    lines = [f"qdisc add dev {dev} root handle {major}: htb default {REST:x}"]
    ends = [REST, *(leaf.minor for leaf in port.leaves)]
    minors = [ROOT, *port.pools, *ends]
    lines += [_class("add", layout, port, minor, table[port.id(minor)]) for minor in minors]
    limit = f"pfifo limit {layout.queue_packets}"
    lines += [f"qdisc add dev {dev} parent {major}:{minor:x} {limit}" for minor in ends]
    for leaf in port.leaves:
        lines += [f"filter add dev {dev} parent {major}: {rule}" for rule in rules(port, leaf)]
    return lines


def removal(port: Port) -> list[str]:
    """Take the discipline away again, with all its classes."""
    return [f"qdisc del dev {port.interface} root handle {port.major:x}:"]


def changes(layout: Layout, steps: Iterable[Step]) -> dict[str | None, list[str]]:
    """Steps in their order, by namespace."""
    ports = {port.major: port for port in layout.ports}
    lines: dict[str | None, list[str]] = {}
    for key, rates in steps:
        port = ports[key[0]]
        line = _class("change", layout, port, key[1], rates)
        lines.setdefault(port.netns, []).append(line)
    return lines


def rules(port: Port, leaf: Leaf) -> Iterator[str]:
    """The u32 filters of a class."""
    for match in leaf.matches:
        address = match.to or match.from_
        for version in (4, 6) if address is None else (address.version,):
            words = " ".join(f"match {part}" for part in _parts(match, version))
            family, preference = ("ip", 1) if version == 4 else ("ipv6", 2)
            head = f"protocol {family} pref {preference} u32"
            yield f"{head} {words} flowid {port.major:x}:{leaf.minor:x}"


def _class(verb: str, layout: Layout, port: Port, minor: int, rates: Rates) -> str:
    major = f"{port.major:x}"
    above = _parent(port, minor)
    parent = f"{above:x}" if above else ""
    priority = f" prio {REST_PRIORITY}" if minor == REST else ""
    quantum = _quantum(port, minor)
    burst, most = _burst(layout, rates.rate), _burst(layout, rates.ceil)
    return (
        f"class {verb} dev {port.interface} parent {major}:{parent} classid {major}:{minor:x} htb "
        f"rate {rates.rate}bit ceil {rates.ceil}bit burst {burst}b cburst {most}b "
        f"quantum {quantum}{priority}"
    )


def _parent(port: Port, minor: int) -> int:
    """The class above one; 0 for that of the link."""
    if minor == ROOT:
        return 0
    is_leaf = FIRST_LEAF <= minor < FIRST_POOL
    return (port.pool_of[minor - FIRST_LEAF] if is_leaf else 0) or ROOT


def _quantum(port: Port, minor: int) -> int:
    """Bytes a class may borrow in its turn: by weight."""
    if not FIRST_LEAF <= minor < FIRST_POOL:
        return FRAME
    turn = max(FRAME, min(MOST_TURN, round(port.capacity_bps / 8 * TURN_S)))
    weight = port.leaves[minor - FIRST_LEAF].weight / port.least_weight
    return round(turn * max(1.0, min(MOST_WEIGHT, weight)))


def _burst(layout: Layout, bps: int) -> int:
    return max(LEAST_BURST, min(MOST_BURST, round(bps / 8 * layout.burst_s)))


def _parts(match: Match, version: int) -> Iterator[str]:
    name, field = ("ip", "dsfield") if version == 4 else ("ip6", "priority")
    if match.to is not None:
        yield f"{name} dst {match.to}"
    if match.from_ is not None:
        yield f"{name} src {match.from_}"
    if match.dscp is not None:
        yield f"{name} {field} 0x{match.dscp << 2:02x} 0xfc"
    if match.protocol is not None:
        yield f"{name} protocol {_protocol(match.protocol, version)} 0xff"
    if match.port is not None:
        yield f"{name} dport {match.port} 0xffff"
    if match.from_port is not None:
        yield f"{name} sport {match.from_port} 0xffff"


def _protocol(name: str, version: int) -> int:
    return 58 if name == "icmp" and version == 6 else PROTOCOLS[name]
