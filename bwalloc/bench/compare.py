"""`compare`: allocators on the same episodes, beside a proven bound."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from bwalloc.bench import tasks
from bwalloc.bench.players import LEGACY, players
from bwalloc.bench.tasks import Setting
from bwalloc.errors import BwallocError, unknown_name
from bwalloc.scenario import SPLITS
from bwalloc.sim.play import Played

CLAIRVOYANT = "clairvoyant"
if TYPE_CHECKING:
    from bwalloc.allocate.clairvoyant import Plan

Progress = Callable[[str, int, int], None]


@dataclass
class Comparison:
    """What was played; `bound_usd_per_h` has one entry per seed that was finished."""

    setting: Setting
    played: dict[str, Played] = field(default_factory=dict[str, Played])
    decide_ms: dict[str, dict[str, float]] = field(default_factory=dict[str, dict[str, float]])
    bound_usd_per_h: dict[int, float] = field(default_factory=dict[int, float])
    left_out: list[str] = field(default_factory=list[str])
    interrupted: bool = False


def compare(
    env: str,
    *,
    allocators: Sequence[str] | None = None,
    jobs: int = 1,
    max_decide_ms: float | None = None,
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
        progress: called with a text, the number of finished tasks and of all tasks.
        **setting: fields of `Setting`: split, episodes, seed, overrides, traces, envs.

    Returns:
        The books of every finished allocator. Ctrl-C returns what is finished.

    Raises:
        UnknownNameError: an environment, allocator or split that does not exist.
        BundleError: a path holds no agent, or a broken one.
    """
    chosen = Setting(env=env, **setting)
    _check(chosen)
    names = players(allocators, tasks.scenario_of(chosen).id)
    result = Comparison(chosen)
    played = [name for name in names if name != CLAIRVOYANT]
    work: Work = [(tasks.run_plan, seed) for seed in chosen.seeds]
    work += [(tasks.run_allocator, name) for name in sorted(played, key=_cost, reverse=True)]
    plans: dict[int, Plan] = {}
    for done, (task, value) in enumerate(_run(chosen, work, jobs, result), start=1):
        if isinstance(task, int):
            plans[task] = value
            result.bound_usd_per_h[task] = value.bound_usd_per_h
        else:
            result.played[task], result.decide_ms[task] = value
        if progress:
            progress(f"plan {task}" if isinstance(task, int) else task, done, len(work))
    if CLAIRVOYANT in names and len(plans) == len(chosen.seeds):
        ordered = [plans[seed] for seed in chosen.seeds]
        result.played[CLAIRVOYANT] = tasks.run_clairvoyant(chosen, ordered)
    result.played = {name: result.played[name] for name in names if name in result.played}
    _leave_out(result, max_decide_ms)
    return result


def _check(setting: Setting) -> None:
    if setting.split not in SPLITS:
        raise unknown_name(kind="split", name=setting.split, known=SPLITS, remedy="Pick one.")
    if setting.episodes < 1 or setting.seed < 0:
        msg = f"--episodes {setting.episodes} --seed {setting.seed}: need at least 1 and 0."
        raise BwallocError(msg)


def _cost(name: str) -> int:
    """Dear tasks start first, so that processes finish together."""
    return {"mpc": 2, "last-value-lp": 1}.get(name, 0)


Work = list[tuple[Callable[..., Any], Any]]


def _run(setting: Setting, work: Work, jobs: int, result: Comparison) -> Iterator[tuple[Any, Any]]:
    """Results as they come; stops at Ctrl-C and marks the result."""
    try:
        if jobs <= 1:
            for task, argument in work:
                yield argument, task(setting, argument)
            return
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            futures: dict[Future[Any], Any] = {
                pool.submit(task, setting, argument): argument for task, argument in work
            }
            try:
                for future in as_completed(futures):
                    yield futures[future], future.result()
            except KeyboardInterrupt:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    except KeyboardInterrupt:
        result.interrupted = True


def _leave_out(result: Comparison, max_decide_ms: float | None) -> None:
    for name, spent in list(result.decide_ms.items()):
        if max_decide_ms is not None and spent and spent["p50"] > max_decide_ms and name != LEGACY:
            result.left_out.append(f"{name} ({spent['p50']:.2f} ms a decision)")
            del result.played[name]
