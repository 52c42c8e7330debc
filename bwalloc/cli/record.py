"""`bwalloc record`: offline data for Minari."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bwalloc.cli.progress import progress_bar
from bwalloc.gym.recording import Recording, Setting, record


def run(
    env: str,
    *,
    out: Path,
    allocator: Annotated[str, Parameter(help="a classical allocator, or random")] = "forecast",
    episodes: int = 10,
    split: str = "train",
    seed: int = 0,
    envs: Path | None = None,
) -> None:
    """Record episodes of an environment as a Minari dataset for offline learning.

    Args:
        env: name or path of an environment.
        out: folder of datasets; the new one goes to OUT/ENV/ALLOCATOR-SPLIT-v0.
        allocator: who decides.
        episodes: number of episodes.
        split: train, validation, test or ood.
        seed: first seed.
        envs: a folder with environments of your own.
    """
    setting = Setting(env, allocator, episodes, split, seed, envs=envs)
    with progress_bar(env) as tell:
        recording = record(setting, out, lambda done, total: tell(allocator, done, total))
    _print(setting, recording)


def _print(setting: Setting, recording: Recording) -> None:
    print(f"{setting.episodes} episodes, {recording.steps} steps: {recording.path}")
    earned = f"earned: {recording.net_usd_per_h:.2f} $/h"
    if recording.allocator_usd_per_h is not None:
        earned += f"; {setting.allocator} itself: {recording.allocator_usd_per_h:.2f} $/h"
        shares = dict(recording.clipped)
        whole = shares.pop("all")
        by_part = ", ".join(f"{part} {100 * share:.1f}" for part, share in shares.items())
        earned += f"\nclipped: {100 * whole:.1f} % of the numbers of the actions ({by_part})"
    print(earned)
    print(f"load: minari.MinariDataset({str(recording.path)!r}), or with")
    print(f"MINARI_DATASETS_PATH={recording.root}: minari.load_dataset({recording.dataset_id!r})")
