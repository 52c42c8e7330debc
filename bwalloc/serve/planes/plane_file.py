"""The file that describes a plane: which interface carries which link, which packets are whose."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from bwalloc.errors import PlaneError, ScenarioError
from bwalloc.files import read_toml
from bwalloc.scenario.fields import NO_TEXT, Count, Positive, Section
from bwalloc.scenario.validate import validate

MOST_BYTES = 16 * 2**20
PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1, "sctp": 132}


def _network(value: Any) -> IPv4Network | IPv6Network:
    try:
        if isinstance(value, str | IPv4Network | IPv6Network):
            return ip_network(value)
        raise ValueError
    except ValueError:
        msg = "an address or a prefix like '10.1.0.0/16', without bits set after the prefix"
        raise ValueError(msg) from None


Prefix: TypeAlias = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
Port: TypeAlias = Annotated[int, Field(ge=1, le=65535), NO_TEXT]
Interface: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@:-]{0,14}$")]
Namespace: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$")]
Mode: TypeAlias = Literal["cap", "connection", "guarantee"]


class LinkPlace(Section):
    """Where a link leaves a machine: it is shaped there.

    Attributes:
        interface: through which its packets go out.
        netns: named network namespace of the interface; that of the process by default.
        mode: `cap` gives a class its rate and no more, `connection` lets those between the same two
            sites use what they have together, `guarantee` lets all use what is left; by default
            `cap` or `guarantee`, as the network enforces the link.
        capacity_gbps: instead of what the network says.
        unclassified_gbps: what packets of no demand get; a thousandth of the capacity by default.
    """

    interface: Interface
    netns: Namespace | None = None
    mode: Mode | None = None
    capacity_gbps: Positive | None = None
    unclassified_gbps: Positive | None = None


class Match(Section):
    """Packets of a demand, or of one of its tunnels: all that is said must hold.

    Attributes:
        tunnel: which of the demand's tunnels, from 0; any of them by default.
        to, from_: prefixes of the addresses.
        dscp: the six bits.
        protocol, port, from_port: of the transport; ports are found in packets without IP options.
    """

    demand: Annotated[str, Field(min_length=1)]
    tunnel: Annotated[int, Field(ge=0), NO_TEXT] | None = None
    to: Prefix | None = None
    from_: Prefix | None = Field(None, alias="from")
    dscp: Annotated[int, Field(ge=0, le=63), NO_TEXT] | None = None
    protocol: Literal["tcp", "udp", "icmp", "sctp"] | None = None
    port: Port | None = None
    from_port: Port | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Match:
        said = (self.to, self.from_, self.dscp, self.protocol, self.port, self.from_port)
        if all(each is None for each in said):
            msg = "at least one of to, from, dscp, protocol, port, from_port"
            raise ValueError(msg)
        if (self.port or self.from_port) and self.protocol is None:
            msg = "a protocol beside a port"
            raise ValueError(msg)
        if self.to and self.from_ and self.to.version != self.from_.version:
            msg = "`to` and `from` of one IP version"
            raise ValueError(msg)
        return self


class Scale(Section):
    """A plane smaller and faster than the network: rates times `rate`, intervals over `time`."""

    rate: Positive = 1.0
    time: Positive = 1.0


class PlaneFile(Section):
    """A plane as its file says.

    Attributes:
        state: folder of locks and of the watchdog's socket; one per plane, kept over restarts.
        misses: intervals without a decision after which the static table is put back.
        least_change: relative changes of a rate below it are not made.
        burst_ms: how much of its rate a class may send at once.
        queue_packets: length of the queue of each class.
        least_kbps: what a class without a rate still gets, so that it never starves wholly.
    """

    version: Literal[1] = Field(1, alias="schema")
    state: Annotated[str, Field(min_length=1)] = "/run/bwalloc"
    misses: Count = 3
    least_change: Annotated[float, Field(ge=0, lt=1), NO_TEXT] = 0.01
    burst_ms: Positive = 5.0
    queue_packets: Count = 200
    least_kbps: Annotated[float, Field(ge=1, allow_inf_nan=False), NO_TEXT] = 8.0
    scale: Scale = Scale()
    links: Annotated[dict[str, LinkPlace], Field(min_length=1)]
    matches: Annotated[tuple[Match, ...], Field(min_length=1)]


def read_plane_file(path: Path | str) -> PlaneFile:
    """The description in a file.

    Raises:
        PlaneError: It cannot be read, is no TOML, or has a key or value that makes no sense; names
            the file and the key.
    """
    file = Path(path)
    data = read_toml(file, MOST_BYTES, "a TOML file that describes a plane", PlaneError)
    try:
        return validate(PlaneFile, data, str(file))
    except ScenarioError as error:
        raise PlaneError(str(error)) from None
