"""Episode, splits, and the arguments of `gym.make` and `reset`."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

from bwalloc.gym.env import CloudEdgeEnv
from bwalloc.gym.page.markdown import code, number, plain, prose, table

if TYPE_CHECKING:
    from bwalloc.gym.page.subject import Subject
    from bwalloc.scenario.schema import ShiftSection

SPLITS = {
    "train": "for training; the default of `gymnasium.make`",
    "validation": "to choose among agents",
    "test": "what is published; the default of `bwalloc compare`",
    "ood": "out of distribution: the shifts below",
}
_ARGUMENT = re.compile(r"^    (\w+)(?: \(.*?\))?: (.*)$")


def episode(subject: Subject) -> str:
    """Length, warm-up, end and start."""
    timing = subject.scenario.timing
    steps, warm = timing.intervals, timing.warmup_intervals
    rows = {
        "steps": f"{steps} intervals of {number(timing.interval_s)} s, "
        f"{number(steps * timing.interval_s / 60)} minutes",
        "inside a step": f"work arrives in {timing.substeps} substeps of "
        f"{number(timing.substep_s)} s",
        "warm-up": f"the first {warm} intervals are rewarded, but `compare` and `RegretInfo` do "
        "not count them",
        "end": f"`truncated` after {steps} steps, never `terminated`: the network goes on, so "
        "bootstrap the value; work still queued is settled in the last step",
        "start": 'an hour of the week, drawn or `options["start"]`; empty queues, no rates, '
        "nothing offered yet",
        "random": "all arrivals are drawn at `reset`: no action changes them",
    }
    enforced = subject.file.enforcement.settings
    if enforced:
        said = ", ".join(code(f"{key} = {value}") for key, value in enforced.items())
        rows["enforcement"] = f"rates come into force with {said}"
    return table(["", ""], rows.items())


def splits(subject: Subject) -> str:
    """The splits, and the shifts of the one out of distribution."""
    about = table(["split", "use"], [[code(name), text] for name, text in SPLITS.items()])
    lead = "Episode `s` of a split is the same for ever, whatever plays it; every split takes "
    lead += "every seed of 0 or more, and none overlap."
    shifts = subject.file.ood
    if not shifts:
        return f"{lead}\n\n{about}\n\nThis environment has no shifts: its `ood` split is empty."
    rows = [[row, code(shift.name), *_shift(shift)] for row, shift in enumerate(shifts)]
    count = f"Episode `s` of `ood` gets shift `s % {len(shifts)}`:"
    return "\n\n".join([lead, about, count, table(["", "shift", "changes", "source"], rows)])


def arguments(subject: Subject) -> str:
    """Arguments of `gymnasium.make`, and options of `reset`, from their docstrings."""
    parameters = inspect.signature(CloudEdgeEnv.__init__).parameters
    rows = [
        [code(name), code(repr(parameters[name].default)), prose(text)]
        for name, text in arguments_of(CloudEdgeEnv).items()
        if name not in ("env", "envs")
    ]
    made = table([f'`gymnasium.make("{subject.file.id}", ...)`', "default", "meaning"], rows)
    options = [[code(n), prose(text)] for n, text in arguments_of(CloudEdgeEnv.reset).items()]
    reset = table(["`env.reset(...)`", "meaning"], options)
    return f"{made}\n\n{reset}\n\nMore in [](../gymnasium.md)."


def arguments_of(documented: Any) -> dict[str, str]:
    """The section `Args:` of a Google docstring."""
    lines = inspect.cleandoc(documented.__doc__ or "").splitlines()
    found: dict[str, str] = {}
    name = ""
    inside = False
    for line in lines:
        if not line.startswith(" "):
            inside = line == "Args:" or (inside and not line)
            continue
        begun = _ARGUMENT.match(line)
        if inside and begun:
            name = begun[1]
            found[name] = begun[2]
        elif inside and name:
            found[name] += f" {line.strip()}"
    return found


def _shift(shift: ShiftSection) -> tuple[str, str]:
    given = shift.model_dump(exclude_defaults=True, exclude={"name", "source"})
    changes = (f"{code(key)} {plain(str(value))}" for key, value in given.items())
    return ", ".join(changes), plain(shift.source)
