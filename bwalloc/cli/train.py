"""`bwalloc train`: learn a policy for an environment."""

from __future__ import annotations

import sys
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import Progress

from bwalloc.cli.command import command_line
from bwalloc.cli.extras import needing
from bwalloc.cli.outputs import check_folder
from bwalloc.cli.runs import check_minutes
from bwalloc.errors import BwallocError, unknown_name
from bwalloc.scenario import load_scenario

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch.utils.tensorboard import SummaryWriter

    from bwalloc.learn.recipe import Recipe
    from bwalloc.learn.train import Tell

ALGORITHMS = ("apg", "ppo", "sac", "bc")


def run(
    env: str | None = None,
    *,
    out: Path,
    algo: str | None = None,
    recipe: Path | None = None,
    init: str | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    device: str = "cpu",
    threads: int = 1,
    seed: int | None = None,
    envs: Path | None = None,
) -> None:
    """Train a policy; the same command goes on with a run that was stopped.

    Args:
        env: name or path of an environment; that of the recipe by default.
        out: the run folder: recipe, progress, checkpoint, best policy, TensorBoard events.
        algo: apg (gradients through the model), ppo or sac (Stable-Baselines3), or bc (cloning of
            a teacher, as a start for the others); apg by default.
        recipe: a recipe file to start from, such as agents/NAME/recipe.toml.
        init: an agent, or a run folder, whose weights to start from.
        minutes: stop after this many minutes, those of earlier sittings included.
        steps: stop after this many intervals of single episodes.
        device: torch device, cpu or cuda.
        threads: threads of torch.
        seed: of weights and episodes.
        envs: a folder with environments of your own.
    """
    with needing("learn", "export"):
        import torch

        import_module("tensorboard")
        from bwalloc.learn.recipe import recipe_with
        from bwalloc.learn.train import train
    check_folder(out=out)
    _check(algo, minutes, threads)
    _check_device(device, torch.cuda.device_count())
    torch.set_num_threads(threads)
    chosen = recipe_with(recipe, "bwalloc train", env=env, algorithm=algo, steps=steps, seed=seed)
    weights = None if init is None else _initial_weights(init, chosen)
    with _Screen(chosen, out) as screen:
        folder = train(
            chosen, out, minutes=minutes, device=device, init=weights, listener=screen, envs=envs,
            command=command_line(),
        )  # fmt: skip
    best = folder.best
    if best:
        rival = load_scenario(chosen.env, envs=envs).rival
        print(
            f"best policy: {best.gain_usd_per_h:+.2f} +- {best.gain_half_width:.2f} $/h over "
            f"{rival} (validation), after {best.steps:,} steps. "
            f"Next: bwalloc export {out} --out agents/NAME"
        )


def _check(algo: str | None, minutes: float | None, threads: int) -> None:
    if algo is not None and algo not in ALGORITHMS:
        raise unknown_name(kind="algorithm", name=algo, known=ALGORITHMS, remedy="Pick one.")
    check_minutes(minutes)
    if threads < 1:
        msg = f"--threads {threads}: expected at least 1."
        raise BwallocError(msg)


def _check_device(device: str, cards: int) -> None:
    kind, colon, number = device.partition(":")
    if kind not in ("cpu", "cuda") or (colon and not number.isdecimal()):
        msg = f"--device {device}: expected cpu or cuda, or as cuda:1 where there are several."
        raise BwallocError(msg)
    if kind == "cuda" and int(number or 0) >= cards:
        msg = f"--device {device}: this torch sees {cards} CUDA devices; use another, or cpu."
        raise BwallocError(msg)


def _initial_weights(name: str, recipe: Recipe) -> Mapping[str, Any]:
    """Weights of a run folder, or of an agent by path or catalogue name."""
    from bwalloc.errors import RecipeError
    from bwalloc.learn.run import BEST, policy_of_run
    from bwalloc.serve import load_bundle

    path = Path(name)
    is_run = (path / BEST).exists()
    policy = policy_of_run(path, {})[0] if is_run else load_bundle(name).policy
    wanted = recipe.network.architecture(spans=policy.architecture.spans)
    if policy.architecture != wanted:
        msg = (
            f"--init {name}: its network is {policy.architecture}, the recipe's is {wanted}; "
            "set [network] of the recipe to the same."
        )
        raise RecipeError(msg)
    return policy.weights


class _Screen:
    """Shows progress on the terminal, and writes TensorBoard events."""

    def __init__(self, recipe: Recipe, out: Path) -> None:
        console = Console(stderr=True)
        self.bar = Progress(console=console, disable=not sys.stderr.isatty())
        self.task = self.bar.add_task(f"{recipe.algorithm} on {recipe.env}", total=1.0)
        self.folder = out / "tensorboard"

    @cached_property
    def events(self) -> SummaryWriter:
        """Where curves go to; opened by the first, so that a run refused leaves none."""
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(self.folder))

    def __enter__(self) -> _Screen:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()
        if "events" in vars(self):
            self.events.close()

    def __call__(self, tell: Tell) -> None:
        self.bar.update(self.task, completed=tell.progress)
        if tell.train_usd_per_h is not None:
            self.events.add_scalar("train/usd_per_h", tell.train_usd_per_h, tell.steps)
        if tell.loss is not None:
            self.events.add_scalar("train/loss", tell.loss, tell.steps)
        point = tell.point
        if point is None:
            return
        self.events.add_scalar("validation/usd_per_h", point.validation_usd_per_h, point.steps)
        self.events.add_scalar("validation/gain_usd_per_h", point.gain_usd_per_h, point.steps)
        self.bar.console.print(
            f"{point.seconds:6.0f} s {point.steps:>10,} steps: {point.validation_usd_per_h:.2f} "
            f"$/h, {point.gain_usd_per_h:+.2f} +- {point.gain_half_width:.2f} over the rival"
        )
