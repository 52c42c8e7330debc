"""Learning curves on metro-inference: regret on the validation split against steps and minutes.

    python benchmarks/learning_curves.py [--runs runs/curves] [--jobs 2] [--only apg ppo] [--plot]

Plays every run of `RUNS` that is not finished in the folder of runs (a run that was stopped goes
on), then writes benchmarks/results/learning-curves.json and docs/images/learning-curves.svg from
what is there. `--plot` only writes. One thread per run; minutes are wall time, so leave the machine
alone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bwalloc.bench.compare import compare
from bwalloc.bench.summary import summarise
from bwalloc.learn.recipe import read_recipe, recipe_from, recipe_toml
from bwalloc.learn.run import RunFolder
from bwalloc.provenance import machine

HOME = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results" / "learning-curves.json"
PICTURE = HOME / "docs" / "images" / "learning-curves.svg"
ENV = "metro-inference"
ENDLESS = 100_000_000
EPISODES = 16
COLOURS = {
    "apg": "#0072b2",
    "apg, varied": "#000000",
    "ppo": "#d55e00",
    "sac": "#cc79a7",
    "ppo from apg": "#009e73",
    "apg, no messages": "#56b4e9",
    "apg, no history": "#e69f00",
}


@dataclass(frozen=True)
class Curve:
    """One run: `recipe` differs from the default; `init` names the folder it starts from."""

    name: str
    seed: int
    minutes: float
    recipe: dict[str, Any] = field(default_factory=dict)
    init: str | None = None

    @property
    def folder(self) -> str:
        """Its place among the runs."""
        return f"{self.name.replace(', ', '-').replace(' ', '-')}-{self.seed}"


SEEDS = (0, 1, 2)
NO_MESSAGES = {"network": {"rounds": 0}}
NO_HISTORY = {"network": {"history": False}}
SHIPPED = read_recipe(HOME / "agents" / ENV / "recipe.toml")
VARIED = {"steps": SHIPPED.steps, "variety": [each.model_dump() for each in SHIPPED.variety]}
RUNS = [
    *(Curve("apg", seed, 15, {"steps": 600_000}) for seed in SEEDS),
    *(Curve("ppo", seed, 15, {"algorithm": "ppo"}) for seed in SEEDS),
    *(Curve("sac", seed, 15, {"algorithm": "sac"}) for seed in SEEDS),
    *(Curve("ppo from apg", seed, 15, {"algorithm": "ppo"}, f"apg-{seed}") for seed in SEEDS),
    Curve("apg, varied", 0, 30, VARIED),
    Curve("apg, no messages", 0, 15, {"steps": 600_000, **NO_MESSAGES}),
    Curve("apg, no history", 0, 15, {"steps": 600_000, **NO_HISTORY}),
]


def main() -> None:
    """Play what is missing, then write what there is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=HOME / "runs" / "curves")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=sorted({run.name for run in RUNS}))
    parser.add_argument("--plot", action="store_true", help="only write what there is")
    arguments = parser.parse_args()
    chosen = [run for run in RUNS if run.name in arguments.only]
    if not arguments.plot:
        for wave in ([r for r in chosen if not r.init], [r for r in chosen if r.init]):
            with ThreadPoolExecutor(arguments.jobs) as pool:
                list(pool.map(lambda run: _played(run, arguments.runs), wave))
    document = _collected(arguments.runs)
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    _draw(document)


def _played(run: Curve, runs: Path) -> None:
    folder = runs / run.folder
    table = {"env": ENV, "seed": run.seed, "steps": ENDLESS, "validation": {"patience": 0}}
    recipe = recipe_from({**table, **run.recipe}, run.name)
    file = runs / f"{run.folder}.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(recipe_toml(recipe), encoding="utf-8")
    command = [str(Path(sys.executable).with_name("bwalloc")), "train", ENV, "--recipe", str(file)]
    command += ["--out", str(folder), "--minutes", str(run.minutes), "--seed", str(run.seed)]
    if run.init:
        command += ["--init", str(runs / run.init)]
    threads = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    subprocess.run(command, check=True, env=threads, cwd=HOME)


def _collected(runs: Path) -> dict[str, Any]:
    played = compare(ENV, split="validation", episodes=EPISODES, jobs=2)
    if played.interrupted:
        raise KeyboardInterrupt
    rules = summarise(played)
    bound = rules["bound"]["net_usd_per_h"]["mean"]
    money = {name: row["net_usd_per_h"]["mean"] for name, row in rules["allocators"].items()}
    legacy = money["static-peak"]

    def regret(value: float) -> float:
        return (bound - value) / (bound - legacy)

    curves: list[dict[str, Any]] = []
    for run in RUNS:
        folder = runs / run.folder
        if not (folder / "progress.jsonl").exists():
            continue
        points = RunFolder(folder, read_recipe(folder / "recipe.toml")).points
        shown = [
            {
                "steps": point.steps,
                "minutes": point.seconds / 60,
                "usd_per_h": point.validation_usd_per_h,
                "regret": regret(point.validation_usd_per_h),
            }
            for point in points
        ]
        curves.append({"name": run.name, "seed": run.seed, "points": shown})
    return {
        "command": "python benchmarks/learning_curves.py",
        "machine": machine(),
        "env": ENV,
        "split": "validation",
        "episodes": EPISODES,
        "regret": {
            name: regret(money[name])
            for name in (rules["best_classical"], "clairvoyant", "forecast")
        },
        "best_classical": rules["best_classical"],
        "curves": curves,
    }


def _draw(document: dict[str, Any]) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "bwalloc"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
    for axis, unit in zip(axes, ("steps", "minutes"), strict=True):
        for curve in document["curves"]:
            label = curve["name"] if unit == "steps" and curve["seed"] == 0 else None
            points = [point for point in curve["points"] if point[unit] > 0]
            axis.plot(
                [point[unit] for point in points],
                [point["regret"] for point in points],
                color=COLOURS[curve["name"]],
                label=label,
                linewidth=1.4,
            )
        for name, value in document["regret"].items():
            axis.axhline(value, color="#888888", linewidth=0.8, linestyle="--")
            axis.annotate(
                name, (1.0, value), xycoords=("axes fraction", "data"), ha="right", va="bottom",
                fontsize=8, color="#555555",
            )  # fmt: skip
        axis.set_xscale("log")
        axis.set_xlabel(
            "intervals of single episodes" if unit == "steps" else "minutes, one thread"
        )
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel(f"regret, {document['episodes']} validation episodes")
    axes[0].set_ylim(0, 0.3)
    axes[0].legend(frameon=False, fontsize=8)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    main()
