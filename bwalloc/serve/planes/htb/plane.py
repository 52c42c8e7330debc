"""The HTB plane: looks, repairs, changes in order, looks again, and takes back what half worked."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from bwalloc.errors import PlaneError
from bwalloc.serve.planes import watchdog
from bwalloc.serve.planes.htb import ports, tc
from bwalloc.serve.planes.htb.commands import changes, removal, setup
from bwalloc.serve.planes.htb.counters import Counters
from bwalloc.serve.planes.htb.dump import ClassState, Dump, look, look_at_classes
from bwalloc.serve.planes.htb.layout import ClassId, Port, build_layout
from bwalloc.serve.planes.htb.lock import WriterLock, make_folder
from bwalloc.serve.planes.htb.order import steps
from bwalloc.serve.planes.htb.table import Rates, Table, Tables
from bwalloc.serve.planes.lease import Lease
from bwalloc.serve.planes.protocol import Applied, Note, Word
from bwalloc.serve.planes.renewal import Renewal

if TYPE_CHECKING:
    import numpy as np

    from bwalloc.control import Decision, Telemetry
    from bwalloc.network import Network
    from bwalloc.serve.planes.plane_file import PlaneFile


class HtbPlane:
    """Linux interfaces shaped by HTB.

    Opening takes over what an earlier process left if it is made of the same, with the rates it
    has; else it is built, with the static table. With `is_enforcing` False nothing is ever written:
    no lock is taken, no watchdog started, `apply` only counts what it would change.
    """

    kind = "htb"

    def __init__(
        self,
        network: Network,
        file: PlaneFile,
        static_gbps: np.ndarray,
        *,
        is_enforcing: bool = True,
    ) -> None:
        """Take the interfaces over.

        Args:
            network: whose links are enforced.
            file: on which interfaces.
            static_gbps: what the watchdog puts in force when decisions stop, (demands, tunnels).
            is_enforcing: False only looks.

        Raises:
            PlaneError: Something is missing, belongs to somebody else, or is not allowed.
        """
        self.is_enforcing = is_enforcing
        self.layout = build_layout(network, file)
        self._tables = Tables(self.layout, file.scale.rate, file.least_change)
        self._counters = Counters(network, self.layout, file.scale)
        self._static = self._tables.of(static_gbps)
        self._notes: list[Note] = []
        self._out: dict[int, Note] = {}
        self._seen: Dump | None = None
        self._before = self._look()
        self.table: dict[ClassId, Rates] = dict(self._static)
        self._lease: Lease | None = None
        self._renewal: Renewal | None = None
        if is_enforcing:
            self._open(file, network.interval_s / file.scale.time)

    @property
    def watchdog_pid(self) -> int | None:
        """The process that puts the static table back."""
        return None if self._lease is None else self._lease.pid

    def read(self) -> Telemetry:
        """What was counted since the read before.

        Raises:
            PlaneError: A namespace cannot be entered, or may not be looked into.
        """
        now = self._look()
        telemetry = self._counters.telemetry(self._before, now)
        self._before = self._seen = now
        return telemetry

    def apply(self, decision: Decision) -> Applied:
        """Put rates into force on all interfaces that are there and ours.

        Raises:
            PlaneError: `tc` failed or the rates read back are others; those before are in force
                again, or the text says that they are not.
        """
        seen, self._seen = self._seen or self._look(), None
        if decision.orders:
            told = ", ".join(f"'{each.span}' to {each.tier_gbps:g}" for each in decision.orders)
            self._note("orders-ignored", f"Ordered, Gbit/s: {told}; a plane places no orders.")
        if not self.is_enforcing:
            there = {**self._static, **_rates(seen.classes)}
            return _counted(there, self._tables.of(decision.rates_gbps, there))
        assert self._renewal is not None
        with self._writing():
            usable = self._repaired(seen)
            now = self._in_force(seen, usable)
            wanted = self._tables.of(decision.rates_gbps, {**self.table, **now})
            wanted = {key: rates for key, rates in wanted.items() if key in now}
            self._change(now, wanted, usable)
            self.table = {**self.table, **wanted}
        self._renewal.beat()
        return _counted(now, wanted)

    @property
    def faults(self) -> tuple[Note, ...]:
        """What is not as it was told to be, and lasts; an interface that is gone is a link down.

        Without a watchdog the rates are in force, but unprotected.
        """
        foreign = [note for note in self._out.values() if note.word != "interface-missing"]
        unwatched = None if self._renewal is None else self._renewal.fault
        return (*foreign, *([] if unwatched is None else [unwatched]))

    def notes(self) -> tuple[Note, ...]:
        """What happened since this was asked before."""
        found, self._notes = tuple(self._notes), []
        return found if self._renewal is None else (*found, *self._renewal.notes())

    def close(self) -> None:
        """Let go; rates stay until the watchdog's time is over or another process takes over."""
        if self._renewal is not None:
            self._renewal.close()
        if self._lease is not None:
            self._lease.leave()
        if self.is_enforcing:
            self._lock.release()

    def remove(self) -> None:
        """Take the disciplines and the watchdog away; what interfaces had by default comes back."""
        if not self.is_enforcing:
            return
        if self._renewal is not None:
            self._renewal.close()
        if self._lease is not None:
            self._lease.end()
        dump = self._look()
        for port in self.layout.ports:
            if ports.condition(dump, port) in ("sound", "damaged"):
                self._remove(port)
        self._lock.forget()

    def _open(self, file: PlaneFile, interval_s: float) -> None:
        self._folder = make_folder(file.state)
        self._lock = WriterLock(self._folder)
        self._lock.take(self.layout.ports)
        try:
            self._take_over()
            self._lease = Lease(self._folder, self._batches(), interval_s, file.misses)
            if self._lease.begin():
                self._note("adopted", f"Process {self._lease.pid} watches on.")
            self._renewal = Renewal(self._lease)
        except PlaneError:
            self._lock.release()
            raise
        except OSError as error:
            self._lock.release()
            msg = f"'{self._folder}' (`state`): {error.strerror}; planes need to write there."
            raise PlaneError(msg) from None

    def _take_over(self) -> None:
        """Keep what is made of the same, build the rest."""
        known = set(ports.same_as_remembered(self._folder, self.layout))
        with self._writing():
            for port in self.layout.ports:
                found = ports.condition(self._before, port)
                if found in ("missing", "foreign"):
                    raise PlaneError(_refusal(port, found))
                if found == "sound" and port in known:
                    self._note("adopted", f"{port.place} keeps its rates.")
                else:
                    self._build(port, is_there=found != "empty")
                    self._note("built", f"{port.place} was built.")
        ports.remember(self._folder, self.layout)
        self._before = self._look()
        self.table = {**self._static, **_rates(self._before.classes)}

    def _repaired(self, seen: Dump) -> list[Port]:
        """Ports that can be written, those that were damaged built anew with their last rates."""
        usable: list[Port] = []
        before, self._out = self._out, {}
        for port in self.layout.ports:
            found = "sound" if ports.is_sound(seen, port) else ports.condition(seen, port)
            if found in ("missing", "foreign"):
                word: Word = "interface-missing" if found == "missing" else "foreign-change"
                self._out[port.major] = Note(word, _refusal(port, found))
                if self._out[port.major] != before.get(port.major):
                    self._notes.append(self._out[port.major])
                continue
            if found != "sound":
                self._build(port, is_there=found == "damaged")
                for key in [key for key in seen.classes if key[0] == port.major]:
                    del seen.classes[key]
                seen.classes.update(look_at_classes(self.layout, [port]))
                self._note("rebuilt", f"{port.place} had lost classes or filters; built anew.")
            usable.append(port)
        return usable

    def _in_force(self, seen: Dump, usable: Iterable[Port]) -> dict[ClassId, Rates]:
        """The rates there are; those that somebody else changed are told."""
        majors = {port.major for port in usable}
        now = {key: rates for key, rates in _rates(seen.classes).items() if key[0] in majors}
        other = [key for key, rates in now.items() if self.table[key] != rates]
        if other and any(now[key] != self._static[key] for key in now):
            key = other[0]
            text = (
                f"{len(other)} classes had been changed by somebody else (class "
                f"{key[0]:x}:{key[1]:x} to {now[key].rate} bit/s from {self.table[key].rate}); "
                "they are set again."
            )
            self._note("foreign-change", text)
        return now

    def _change(self, now: Table, wanted: Table, usable: list[Port]) -> None:
        """Write what differs and read it back.

        Raises:
            PlaneError: After taking back what was written.
        """
        todo = steps(now, wanted)
        if not todo:
            return
        try:
            self._write(todo)
            changed = {key[0] for key, _ in todo}
            there = self._rates_of([port for port in usable if port.major in changed])
            wrong = [key for key, rates in todo if there.get(key) != rates]
            if wrong:
                msg = f"{_differs(wrong[0], there, wanted)} ({len(wrong)} classes are wrong)"
                raise PlaneError(msg)
        except PlaneError as error:
            text = f"{error} {self._taken_back(now, usable)}"
            raise PlaneError(text) from None

    def _taken_back(self, before: Table, usable: list[Port]) -> str:
        """Put the rates before in force again; how that went."""
        try:
            self._write(steps(self._rates_of(usable), before))
            there = self._rates_of(usable)
            wrong = [key for key, rates in before.items() if there.get(key) != rates]
        except PlaneError as error:
            return f"The rates before could not be put in force again: {error}"
        if wrong:
            return f"Of the rates before not all are in force: {_differs(wrong[0], there, before)}."
        return "The rates before are in force again."

    def _write(self, todo: Iterable[tuple[ClassId, Rates]]) -> None:
        lines = changes(self.layout, todo)  # no link is in two namespaces, so these may run at once
        tc.at_once([partial(tc.batch, netns, some) for netns, some in lines.items()])

    def _rates_of(self, some: list[Port]) -> dict[ClassId, Rates]:
        majors = {port.major for port in some}
        found = _rates(look_at_classes(self.layout, some))
        return {key: rates for key, rates in found.items() if key[0] in majors}

    def _build(self, port: Port, *, is_there: bool) -> None:
        """Make its classes; what half worked is taken away, as packets would starve in it."""
        if is_there:
            tc.batch(port.netns, [f"qdisc del dev {port.interface} root"])
        try:
            tc.batch(port.netns, setup(self.layout, port, self.table))
        except PlaneError:
            with suppress(PlaneError):  # not even the first line may have worked
                self._remove(port)
            raise

    def _remove(self, port: Port) -> None:
        tc.batch(port.netns, removal(port))

    def _batches(self) -> list[dict[str, Any]]:
        """What the watchdog runs: down to the least first, so that no step exceeds a link."""
        path = shutil.which("tc") or shutil.which("tc", path="/usr/sbin:/sbin") or "tc"
        falls = changes(self.layout, self._tables.least().items())
        rises = changes(self.layout, self._static.items())
        return [
            {
                "command": [path, *([] if netns is None else ["-netns", netns])],
                "lines": "\n".join([*falls[netns], *rises[netns]]) + "\n",
            }
            for netns in self.layout.namespaces
        ]

    @contextmanager
    def _writing(self) -> Generator[None]:
        """Never at the same time as the watchdog."""
        path = self._folder / watchdog.WRITING
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX)
            yield
        finally:
            os.close(opened)

    def _look(self) -> Dump:
        return look(self.layout, time.monotonic())

    def _note(self, word: Word, text: str) -> None:
        self._notes.append(Note(word, text))


def _rates(classes: Mapping[ClassId, ClassState]) -> dict[ClassId, Rates]:
    return {key: Rates(state.rate, state.ceil) for key, state in classes.items()}


def _counted(before: Table, after: Table) -> Applied:
    changed = sum(before.get(key) != rates for key, rates in after.items())
    return Applied(changed, len(after) - changed)


def _differs(key: ClassId, there: Table, wanted: Table) -> str:
    rates = there.get(key)
    held = "is gone" if rates is None else f"has {rates.rate} bit/s, at most {rates.ceil}"
    return f"Class {key[0]:x}:{key[1]:x} {held}, not {wanted[key].rate} as it was told"


def _refusal(port: Port, found: str) -> str:
    if found == "missing":
        return f"{port.place} does not exist; bring it up, or take the link out of the plane file."
    dev = port.interface
    return (
        f"{port.place} has a discipline that bwalloc did not make ({ports.root_discipline(port)}); "
        f"it stays untouched. Remove it with `tc qdisc del dev {dev} root`, or take the link out."
    )
