"""What a sweep says of itself: `sweep.json`, and the scores by setting."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

from bwalloc.files import write_atomically
from bwalloc.learn.sweep_scores import mean_over_seeds
from bwalloc.learn.train import LEARNERS
from bwalloc.provenance import PACKAGES, commit, versions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bwalloc.learn.sweep_grid import Member
    from bwalloc.learn.sweep_member import Standing, Status

SCHEMA = 1
SPREADERS = ("joblib", "ray", "distributed", "optuna")
UNFINISHED = "was not finished"


def document(
    members: Sequence[Member],
    standings: Sequence[Standing],
    *,
    lost: str,
    command: str,
    minutes: float | None,
    interrupted: bool,
) -> dict[str, Any]:
    """The tree of `sweep.json`; docs/sweeps.md says what it holds."""
    best = best_of(members, standings)
    rows = zip(members, standings, strict=True)
    return {
        **origin(command),
        "env": members[0].recipe.env,
        "minutes": minutes,
        "interrupted": interrupted,
        "best": best.folder if best else None,
        "settings": by_setting(members, standings),
        "members": [_row(member, at, lost) for member, at in rows],
    }


def origin(command: str) -> dict[str, Any]:
    """What every such file begins with."""
    return {
        "schema": SCHEMA,
        "command": command,
        "commit": commit(),
        "versions": versions(*PACKAGES, *LEARNERS, *SPREADERS),
    }


def by_setting(members: Sequence[Member], standings: Sequence[Standing]) -> list[dict[str, Any]]:
    """For each setting, mean and 95 % interval over seeds of the best validation gain."""
    gains: dict[str, list[float]] = {}
    changes: dict[str, dict[str, Any]] = {}
    for member, at in zip(members, standings, strict=True):
        changes[member.setting] = dict(member.changes)
        found = gains.setdefault(member.setting, [])
        if at.status == "finished" and at.best:
            found.append(at.best.gain_usd_per_h)
    return [
        {
            "setting": setting,
            "changes": changes[setting],
            "finished": len(found),
            "gain_usd_per_h": asdict(mean_over_seeds(found)) if found else None,
        }
        for setting, found in gains.items()
    ]


def best_of(members: Sequence[Member], standings: Sequence[Standing]) -> Member | None:
    """The finished member with the highest validation gain."""
    gains = {
        row: at.best.gain_usd_per_h
        for row, at in enumerate(standings)
        if at.status == "finished" and at.best
    }
    return members[max(gains, key=gains.__getitem__)] if gains else None


class Ended(Protocol):
    """A run, or a trial: how it stands, and in one line what went wrong."""

    @property
    def status(self) -> Status:
        """Whether it came to its end."""
        ...

    @property
    def error(self) -> str:
        """Empty where nothing went wrong."""
        ...


def problem(at: Ended, lost: str) -> str | None:
    """What to say of one that did not come to its end; None of one that did."""
    if at.status in ("finished", "pruned"):
        return None
    return at.error or (f"{UNFINISHED}: {lost}" if lost else UNFINISHED)


def ended_row(each: Ended, at: Standing, lost: str) -> dict[str, Any]:
    """How far a run or trial came by its folder, and what ended it."""
    return {
        "steps": at.steps,
        "seconds": at.seconds,
        "best": asdict(at.best) if at.best else None,
        "error": problem(each, lost) if each.error or lost else None,
    }


def write_document(path: Path, tree: Mapping[str, Any]) -> None:
    """Write it whole; numbers that are none become null."""
    finite = json.loads(json.dumps(tree), parse_constant=lambda _: None)
    write_atomically(path, json.dumps(finite, indent=1).encode() + b"\n")


def _row(member: Member, at: Standing, lost: str) -> dict[str, Any]:
    return {
        "folder": member.folder,
        "changes": dict(member.changes),
        "seed": member.seed,
        "status": at.status,
        **ended_row(at, at, lost),
    }
