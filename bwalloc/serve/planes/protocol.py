"""What a plane is: it measures a network, and puts decisions into force on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from bwalloc.control import Decision, Telemetry

Word: TypeAlias = Literal[
    "adopted",
    "built",
    "foreign-change",
    "interface-missing",
    "orders-ignored",
    "rebuilt",
    "watchdog-failed",
    "watchdog-restarted",
    "watchdog-restored",
]
"""Stable words of what happens on a plane; see docs/planes.md."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened on a plane and an operator should know; only `word` is stable."""

    word: Word
    text: str


@dataclass(frozen=True, slots=True)
class Applied:
    """What a decision changed.

    Attributes:
        changed: classes that were given another rate.
        kept: classes whose rate stayed, because it was the same or nearly so.
    """

    changed: int
    kept: int


class Plane(Protocol):
    """Measures and enforces, for one network. One thread at a time uses it."""

    @property
    def kind(self) -> str:
        """Its name on the command line."""
        ...

    @property
    def watchdog_pid(self) -> int | None:
        """The process that restores the static table; None where there is none."""
        ...

    @property
    def faults(self) -> tuple[Note, ...]:
        """What is wrong with it and lasts, though `apply` worked for the rest."""
        ...

    def read(self) -> Telemetry | None:
        """What happened since the read before; None where nothing can be measured.

        Raises:
            PlaneError: The plane cannot be reached.
        """
        ...

    def apply(self, decision: Decision) -> Applied:
        """Put rates into force: what falls before what rises, read back afterwards.

        Orders are not the plane's: whoever runs the network places them.

        Raises:
            PlaneError: It did not work; the rates before are in force again, or the text says that
                they are not.
        """
        ...

    def notes(self) -> tuple[Note, ...]:
        """What happened since this was asked before."""
        ...

    def close(self) -> None:
        """Let go. The last rates stay in force until the watchdog's time is over."""
        ...
