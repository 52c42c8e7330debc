"""Offline data: episodes of an environment as a Minari dataset."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from bwalloc.errors import BwallocError
from bwalloc.gym.episodes import world_of
from bwalloc.gym.imitation import RANDOM, Imitator
from bwalloc.gym.registration import ANY
from bwalloc.money import TERMS, net_usd
from bwalloc.scenario import find, list_scenarios
from bwalloc.sim.play import play

if TYPE_CHECKING:
    from bwalloc.gym.env import CloudEdgeEnv

Progress = Callable[[int, int], None]
NEEDED = {"minari": "minari", "h5py": "h5py", "PIL": "pillow"}
"""Modules without which Minari cannot write, and the packages that hold them."""


@dataclass(frozen=True)
class Setting:
    """Which episodes are recorded; arguments of `record`."""

    env: str
    allocator: str = "forecast"
    episodes: int = 10
    split: str = "train"
    seed: int = 0
    overrides: Mapping[str, Any] = field(default_factory=dict[str, Any])
    envs: Path | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    """A finished dataset.

    Attributes:
        dataset_id: its name for `minari.load_dataset`, below `root`.
        root: what `MINARI_DATASETS_PATH` has to be.
        path: what `minari.MinariDataset` opens.
        steps: of all episodes.
        net_usd_per_h: earned by the recorded episodes, mean; warm-up is not counted.
        allocator_usd_per_h: earned by the allocator itself in them; None for random actions.
        clipped: share of the numbers of actions that were clipped, `all` and by part.
    """

    dataset_id: str
    root: Path
    path: Path
    steps: int
    net_usd_per_h: float
    allocator_usd_per_h: float | None
    clipped: dict[str, float]


def record(setting: Setting, out: Path, progress: Progress | None = None) -> Recording:
    """Step an environment under an allocator and write what happened as a Minari dataset.

    The actions stored are those the environment was stepped with. Actions of `forecast` are 0;
    those of others correct the ask of `forecast` into theirs as far as [-1, 1] reaches.

    Args:
        setting: environment, allocator and episodes.
        out: folder of datasets, as `MINARI_DATASETS_PATH`; nothing is left there if it fails.
        progress: called with the number of finished episodes and of all.

    Raises:
        UnknownNameError: There is no such environment, allocator or split.
        BwallocError: Minari is missing, the dataset exists, or it cannot be written.
    """
    _check(setting)
    imitator, env = Imitator(setting.allocator), _made(setting)
    dataset_id = _id_of(env.unwrapped.scenario.slug, setting)  # pyright: ignore[reportAttributeAccessIssue]
    out = out.resolve()  # Minari takes the size of a dataset by an absolute path only
    final = out / dataset_id
    if final.exists():
        msg = f"'{final}' exists: name another --out, or remove it."
        raise BwallocError(msg)
    with _written_whole(final) as draft:
        storage = _storage(env, draft / "data")
        earned: list[tuple[float, float | None]] = []
        for number in range(setting.episodes):
            earned.append(_add_episode(storage, env, imitator, setting.seed + number))
            if progress:
                progress(number + 1, setting.episodes)
        recording = _summary(env, imitator, earned, dataset_id, out)
        storage.update_metadata(_metadata(setting, recording, storage))
    return recording


def _check(setting: Setting) -> None:
    if setting.episodes < 1 or setting.seed < 0:
        msg = f"--episodes {setting.episodes} --seed {setting.seed}: need at least 1 and 0."
        raise BwallocError(msg)
    missing = " ".join(package for name, package in NEEDED.items() if find_spec(name) is None)
    if missing:
        msg = f"Recording needs {missing}: pip install 'bwalloc[offline]'"
        raise BwallocError(msg)


def _made(setting: Setting) -> gymnasium.Env[Any, Any]:
    path = find(setting.env, setting.envs)
    by_id = {
        spec.kwargs.get("env"): name
        for name, spec in gymnasium.registry.items()
        if name.startswith("bwalloc/")
    }
    options: dict[str, Any] = {"split": setting.split}
    if setting.overrides:
        options["overrides"] = dict(setting.overrides)
    if path == list_scenarios().get(path.stem) and path.stem in by_id:
        return gymnasium.make(by_id[path.stem], **options)
    return gymnasium.make(ANY, env=str(path), **options)


def _id_of(slug: str, setting: Setting) -> str:
    return f"{re.sub(r'[^-_0-9A-Za-z]', '-', slug)}/{setting.allocator}-{setting.split}-v0"


@contextmanager
def _written_whole(final: Path) -> Generator[Path]:
    """A hidden folder beside `final` that takes its place if nothing fails."""
    draft = final.with_name(f".{final.name}.{os.getpid()}.part")
    try:
        draft.mkdir(parents=True)
        yield draft
        draft.rename(final)
    except OSError as error:
        msg = f"Cannot write '{final}' ({error.strerror}): name a folder you may write to."
        raise BwallocError(msg) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _storage(env: gymnasium.Env[Any, Any], path: Path) -> Any:
    from minari.dataset.minari_storage import MinariStorage

    return MinariStorage.new(path, env.observation_space, env.action_space, env.spec, "hdf5")


def _add_episode(
    storage: Any, env: gymnasium.Env[Any, Any], imitator: Imitator, seed: int
) -> tuple[float, float | None]:
    """Play and store one episode; what it earned, and what the allocator earns in it, in USD."""
    from minari.data_collector import EpisodeBuffer

    inner: CloudEdgeEnv = env.unwrapped  # pyright: ignore[reportAssignmentType]
    first, _ = env.reset(seed=seed)
    scenario, choice = inner.engine.scenario, inner.choice
    assert choice is not None
    imitator.begin(scenario, seed)
    observations, actions, rewards, earned = [first], [], [], 0.0
    terms = [dict.fromkeys(TERMS, 0.0)]
    for interval in range(scenario.timing.intervals):
        action = imitator.action(inner.engine)
        observation, reward, _, _, info = env.step(action)
        observations.append(observation)
        actions.append(action)
        rewards.append(reward)
        terms.append(info["reward_terms"])
        if interval >= scenario.timing.warmup_intervals:
            earned += float(net_usd(info["reward_terms"]))
    ends = np.arange(len(rewards)) == len(rewards) - 1
    episode = EpisodeBuffer(
        seed=seed,
        observations=_stacked(observations),
        actions=np.stack(actions),  # pyright: ignore[reportArgumentType]
        rewards=np.array(rewards),  # pyright: ignore[reportArgumentType]
        terminations=np.zeros_like(ends),  # pyright: ignore[reportArgumentType]
        truncations=ends,  # pyright: ignore[reportArgumentType]
        infos={"reward_terms": _stacked(terms)},
    )
    storage.update_episodes([episode])
    if imitator.name == RANDOM:
        return earned, None
    played = play(scenario, imitator.rule(scenario), [world_of(scenario, choice)])
    return earned, float(played.net_usd[0])


def _stacked(rows: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _summary(
    env: gymnasium.Env[Any, Any],
    imitator: Imitator,
    earned: list[tuple[float, float | None]],
    dataset_id: str,
    out: Path,
) -> Recording:
    timing = env.unwrapped.scenario.timing  # pyright: ignore[reportAttributeAccessIssue]
    own = [usd for _, usd in earned if usd is not None]
    return Recording(
        dataset_id=dataset_id,
        root=out,
        path=out / dataset_id / "data",
        steps=len(earned) * timing.intervals,
        net_usd_per_h=float(np.mean([usd for usd, _ in earned])) / timing.counted_h,
        allocator_usd_per_h=float(np.mean(own)) / timing.counted_h if own else None,
        clipped=imitator.clipping.shares(),
    )


def _metadata(setting: Setting, recording: Recording, storage: Any) -> dict[str, Any]:
    import minari

    return {
        "dataset_id": recording.dataset_id,
        "minari_version": minari.__version__,
        "algorithm_name": setting.allocator,
        "description": (
            f"{setting.episodes} episodes of {setting.env} ({setting.split} split, seeds from "
            f"{setting.seed}) under the allocator '{setting.allocator}' of bwalloc."
        ),
        "requirements": [f"bwalloc=={version('bwalloc')}"],
        "dataset_size": float(storage.get_size()),
        "bwalloc": {
            "split": setting.split,
            "seed": setting.seed,
            "overrides": dict(setting.overrides),
            "net_usd_per_h": recording.net_usd_per_h,
            "allocator_usd_per_h": recording.allocator_usd_per_h,
            "clipped": recording.clipped,
        },
    }
