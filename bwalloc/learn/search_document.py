"""What a search says of itself: its trials, the best of them, and `search.json`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bwalloc.learn.search_trial import ERROR_ATTRIBUTE, folder_name
from bwalloc.learn.sweep_document import ended_row, origin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optuna import Study
    from optuna.trial import FrozenTrial

    from bwalloc.learn.search_space import Space
    from bwalloc.learn.sweep_member import Standing, Status

STATUS: dict[str, Status] = {
    "COMPLETE": "finished",
    "PRUNED": "pruned",
    "RUNNING": "stopped",
    "WAITING": "planned",
}


@dataclass(frozen=True, slots=True)
class Tried:
    """One trial: what it drew, and what came of it.

    Attributes:
        folder: its run folder, below that of the search.
        status: `finished` with a gain, `pruned`, `failed` with an error, or not over.
        changes: what was drawn, by recipe key.
        gain: best validation gain, USD per hour; of a pruned trial, by then.
        error: in one line.
    """

    folder: str
    status: Status
    changes: Mapping[str, Any]
    gain: float | None
    error: str

    @property
    def is_over(self) -> bool:
        """Whether it has a result, be it an error."""
        return self.status in ("finished", "pruned", "failed")


def latest(study: Study) -> dict[str, FrozenTrial]:
    """By folder, the trial that went on there last."""
    trials = study.get_trials(deepcopy=False)
    return {folder_name(each.user_attrs, each.number): each for each in trials}


def tried(study: Study) -> list[Tried]:
    """All trials by folder, in the order in which they were begun."""
    return [_tried(folder, trial) for folder, trial in latest(study).items()]


def best_of(trials: Sequence[Tried]) -> Tried | None:
    """The trial that came to its end with the highest gain."""
    found = {
        row: each.gain
        for row, each in enumerate(trials)
        if each.status == "finished" and each.gain is not None
    }
    return trials[max(found, key=found.__getitem__)] if found else None


def document(
    trials: Sequence[Tried],
    standings: Sequence[Standing],
    space: Space,
    *,
    lost: str,
    command: str,
    about: Mapping[str, Any],
    interrupted: bool,
) -> dict[str, Any]:
    """The tree of `search.json`; docs/sweeps.md says what it holds."""
    best = best_of(trials)
    rows = zip(trials, standings, strict=True)
    return {
        **origin(command),
        **about,
        "interrupted": interrupted,
        "space": {key: entry.plain() for key, entry in space.items()},
        "best": best.folder if best else None,
        "trials": [_row(each, at, lost) for each, at in rows],
    }


def _tried(folder: str, trial: FrozenTrial) -> Tried:
    status = STATUS.get(trial.state.name, "failed")
    gain = trial.value if status in ("finished", "pruned") else None
    error = trial.user_attrs.get(ERROR_ATTRIBUTE, "") if status == "failed" else ""
    return Tried(folder, status, dict(trial.params), gain, error)


def _row(each: Tried, at: Standing, lost: str) -> dict[str, Any]:
    return {
        "folder": each.folder,
        "changes": dict(each.changes),
        "status": each.status,
        "gain_usd_per_h": each.gain,
        **ended_row(each, at, lost),
    }
