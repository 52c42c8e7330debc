"""What an operator does: bundles in and out, kill switch, overrides, orders that wait."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from bwalloc.errors import BundleError, nearest
from bwalloc.serve.bundles.agents import holds_bundle
from bwalloc.serve.bundles.bundle import Bundle, load_bundle
from bwalloc.serve.http.bodies import ONLY_JSON
from bwalloc.serve.http.openapi import BODY, refusals
from bwalloc.serve.http.problems import Problem
from bwalloc.serve.http.settings import Settings

if TYPE_CHECKING:
    from bwalloc.serve.supervisor import Supervisor

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
Name = Annotated[str, Field(min_length=1, max_length=200)]
Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Command(BaseModel):
    """The body of an operation; fields that it does not know are refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Nothing(Command):
    """An operation that needs to be told nothing: `{}`."""


class Swap(Command):
    """Which bundle shall decide: a name in the folder of `--bundles`."""

    bundle: Name


class Beside(Command):
    """Which bundle shall decide beside; null ends it."""

    bundle: Name | None


class Kill(Command):
    """Why the policy is switched off; shown until it is switched on again."""

    reason: Name


class Override(Command):
    """What a tenant's demands get: all together, by demand, or (null) as in the static table."""

    tenant: Name
    gbps: Rate | dict[str, Rate] | None = None
    reason: Annotated[str, Field(max_length=200)] = ""
    for_s: Annotated[float, Field(gt=0, le=366 * 86400)] | None = None


class Release(Command):
    """Whose override ends."""

    tenant: Name


class Choice(Command):
    """An order that waits, by its id in the status."""

    order: Name


class Deployed(BaseModel):
    """Which deployment decides now; the number counts up with every swap and rollback."""

    deployment: int


class Bundles(BaseModel):
    """Names that `swap` and `shadow` take."""

    bundles: list[str]


@dataclass(frozen=True)
class Operations:
    """The routes of operators."""

    supervisor: Supervisor
    settings: Settings
    loading: threading.Lock = field(default_factory=threading.Lock)

    def router(self) -> APIRouter:
        """Their paths."""
        router = APIRouter(prefix="/v1", tags=["operations"])
        router.add_api_route("/bundles", self.bundles, operation_id="bundles", **refusals())
        for call in (self.swap, self.rollback):
            self._add(router, call, 200, 409)
        for call in (self.shadow, self.kill, self.revive, self.override):
            self._add(router, call, 204, 409)
        for call in (self.release, self.approve, self.reject):
            self._add(router, call, 204)
        return router

    def _add(self, router: APIRouter, call: Callable[..., Any], status: int, *codes: int) -> None:
        router.add_api_route(
            f"/{call.__name__}",
            call,
            methods=["POST"],
            operation_id=call.__name__,
            status_code=status,
            dependencies=[ONLY_JSON],
            max_body_size=self.settings.max_command_bytes,
            **refusals(*BODY, 404, *codes),
        )

    def bundles(self) -> Bundles:
        """Names of what lies in the folder of bundles; whether one is sound, `swap` finds out."""
        return Bundles(bundles=self._names())

    def swap(self, command: Swap) -> Deployed:
        """Put another bundle in charge. It is checked and warmed up first; requests go on."""
        with self.loading:
            return Deployed(deployment=self.supervisor.swap(self._load(command.bundle)))

    def rollback(self, command: Nothing) -> Deployed:
        """Put the bundle before the last swap in charge again."""
        del command
        try:
            return Deployed(deployment=self.supervisor.rollback())
        except BundleError as error:
            raise Problem(409, str(error)) from None

    def shadow(self, command: Beside) -> None:
        """Let a bundle decide beside; what it says is compared and never enforced."""
        with self.loading:
            self.supervisor.shadow(None if command.bundle is None else self._load(command.bundle))

    def kill(self, command: Kill) -> None:
        """Switch the policy off: the static table only, and no orders."""
        self.supervisor.kill(command.reason)

    def revive(self, command: Nothing) -> None:
        """Let the policy decide again."""
        del command
        self.supervisor.revive()

    def override(self, command: Override) -> None:
        """Set what a tenant gets, whatever the policy says; links still bound it."""
        self.supervisor.override(
            command.tenant, command.gbps, reason=command.reason, for_s=command.for_s
        )

    def release(self, command: Release) -> None:
        """End the override of a tenant."""
        self.supervisor.release(command.tenant)

    def approve(self, command: Choice) -> None:
        """Let an order that waits be placed."""
        self.supervisor.approve(command.order)

    def reject(self, command: Choice) -> None:
        """Strike an order that waits."""
        self.supervisor.reject(command.order)

    def _names(self) -> list[str]:
        folder = self.settings.bundles
        if folder is None or not folder.is_dir():
            return []
        inside = (path for path in folder.iterdir() if _is_inside(path, folder))
        return sorted(path.name for path in inside if holds_bundle(path))

    def _load(self, name: str) -> Bundle:
        folder = self.settings.bundles
        if folder is None:
            detail = "No folder of bundles was named; start with: bwalloc serve ... --bundles DIR."
            raise Problem(409, detail)
        if name not in self._names():
            detail = (
                f"No bundle '{name}' in the folder of --bundles. {nearest(name, self._names())}"
            )
            raise Problem(404, detail)
        return load_bundle(folder / name, key=self.settings.key)


def _is_inside(path: Path, folder: Path) -> bool:
    """A plain name whose file is where it seems to be: no link leads elsewhere."""
    is_plain = PLAIN.fullmatch(path.name) is not None
    return is_plain and path.resolve() == folder.resolve() / path.name
