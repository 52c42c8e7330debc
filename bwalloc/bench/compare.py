"""`compare`: allocators on the same episodes, beside a proven bound."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bwalloc.allocate.policy.constants import check_constants
from bwalloc.bench import tasks
from bwalloc.bench.players import LEGACY, players
from bwalloc.bench.pool import Task, run_tasks
from bwalloc.bench.tasks import Setting
from bwalloc.bench.timing import Timed
from bwalloc.errors import BwallocError, unknown_name
from bwalloc.scenario import SPLITS, trace_statistics
from bwalloc.sim.play import Played

if TYPE_CHECKING:
    from bwalloc.allocate.plan.clairvoyant import Plan

CLAIRVOYANT, BOUND = "clairvoyant", "bound"
Progress = Callable[[str, int, int], None]


@dataclass
class Comparison:
    """What was played.

    `bound_usd_per_h` has one entry per seed that was finished; `spent_s` are seconds by allocator,
    those of "bound" are the plans of all episodes, or reading them where they are kept, and
    `whole_s` is the time of all together.
    """

    setting: Setting
    played: dict[str, Played] = field(default_factory=dict[str, Played], repr=False)
    decide_ms: dict[str, dict[str, float]] = field(default_factory=dict[str, dict[str, float]])
    bound_usd_per_h: dict[int, float] = field(default_factory=dict[int, float])
    spent_s: dict[str, float] = field(default_factory=dict[str, float])
    whole_s: float = 0.0
    left_out: list[str] = field(default_factory=list[str])
    interrupted: bool = False


def compare(
    env: str,
    *,
    allocators: Sequence[str] | None = None,
    jobs: int = 1,
    max_decide_ms: float | None = None,
    bound: bool = True,
    progress: Progress | None = None,
    **setting: Any,
) -> Comparison:
    """Play every allocator, the references and the bound on the same episodes.

    Args:
        env: name or path of an environment.
        allocators: names of rules and agents, paths of agents; by default all rules, and the
            agents of the catalogue for this environment. `static-peak` always runs.
        jobs: processes.
        max_decide_ms: leave out (and name) allocators whose median decision takes longer.
        bound: prove a bound of every episode; without it nothing is planned, `clairvoyant` stays
            out, and regret is not known.
        progress: called with a text, the number of finished tasks and of all tasks.
        **setting: fields of `Setting`: split, episodes, seed, overrides, traces, columns, envs.

    Returns:
        The books of every finished allocator. Ctrl-C returns what is finished.

    Raises:
        UnknownNameError: an environment, allocator or split that does not exist.
        BundleError: a path holds no agent, or a broken one.
    """
    chosen = Setting(env=env, **setting)
    names = check(chosen, allocators, max_decide_ms, bound=bound)
    result = Comparison(chosen)
    begin = time.perf_counter()
    planned = chosen.seeds if bound else ()
    try:
        _play_all(result, names, planned, jobs, progress)
    except KeyboardInterrupt:
        result.interrupted = True
    result.played = {name: result.played[name] for name in names if name in result.played}
    _leave_out(result, max_decide_ms)
    result.whole_s = time.perf_counter() - begin
    return result


def check(
    setting: Setting,
    allocators: Sequence[str] | None = None,
    max_decide_ms: float | None = None,
    *,
    bound: bool = True,
) -> list[str]:
    """Find out before the work that a comparison cannot be made; names of all who play.

    Files are read again: one that was edited since the last comparison counts as it is now.

    Raises:
        BwallocError: what `compare` raises.
    """
    if setting.split not in SPLITS:
        raise unknown_name(kind="split", name=setting.split, known=SPLITS, remedy="Pick one.")
    if setting.episodes < 1 or setting.seed < 0:
        msg = f"--episodes {setting.episodes} --seed {setting.seed}: need at least 1 and 0."
        raise BwallocError(msg)
    if isinstance(allocators, str):
        msg = f"allocators={allocators!r}: expected a list of names, {allocators.split(',')}."
        raise BwallocError(msg)
    if max_decide_ms is not None and not max_decide_ms > 0.0:
        msg = f"--max-decide-ms {max_decide_ms:g}: expected milliseconds above 0."
        raise BwallocError(msg)
    tasks.forget(setting)
    scenario = tasks.scenario_of(setting)
    trace_statistics(scenario)  # refuses traces that are too short
    check_constants(scenario.tuned, scenario.slug)
    names = players(allocators, scenario.id, sells=scenario.network.offers is not None)
    if not bound and CLAIRVOYANT in (allocators or ()):
        msg = f"'{CLAIRVOYANT}' plays the plan that proves the bound: leave one of the two out."
        raise BwallocError(msg)
    return [name for name in names if bound or name != CLAIRVOYANT]


def _play_all(
    result: Comparison,
    names: Sequence[str],
    planned: Sequence[int],
    jobs: int,
    progress: Progress | None,
) -> None:
    """Legacy first and plans last, so that an interrupted run has something to show."""
    setting = result.setting
    rules = sorted((name for name in names if name != CLAIRVOYANT), key=_cost, reverse=True)
    work: list[Task] = [(Timed(tasks.run_allocator), name) for name in rules]
    work += [(Timed(tasks.run_plan), seed) for seed in planned]
    plans: dict[int, Plan] = {}
    for done, (rule_or_seed, timed) in enumerate(run_tasks(setting, work, jobs), start=1):
        found, spent_s = timed
        name = BOUND if isinstance(rule_or_seed, int) else rule_or_seed
        result.spent_s[name] = result.spent_s.get(name, 0.0) + spent_s
        if isinstance(rule_or_seed, int):
            plans[rule_or_seed] = found
            result.bound_usd_per_h[rule_or_seed] = found.bound_usd_per_h
            what = f"plan {rule_or_seed}"
        else:
            result.played[rule_or_seed], result.decide_ms[rule_or_seed] = found
            what = rule_or_seed
        if progress:
            progress(what, done, len(work))
    if CLAIRVOYANT in names:
        ordered = [plans[seed] for seed in setting.seeds]
        timed = Timed(tasks.run_clairvoyant)(setting, ordered)
        result.played[CLAIRVOYANT], result.spent_s[CLAIRVOYANT] = timed


def _cost(name: str) -> int:
    """Dear tasks start first, so that processes finish together; legacy before all of them."""
    return {LEGACY: 3, "mpc": 2, "stochastic-lp": 2, "last-value-lp": 1}.get(name, 0)


def _leave_out(result: Comparison, max_decide_ms: float | None) -> None:
    for name, spent in list(result.decide_ms.items()):
        if max_decide_ms is not None and spent and spent["p50"] > max_decide_ms and name != LEGACY:
            result.left_out.append(f"{name} ({spent['p50']:.2f} ms a decision)")
            del result.played[name]
