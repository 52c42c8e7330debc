"""Draw docs/images/env-speed.svg from benchmarks/results/env-speed.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt

HERE = Path(__file__).parent
INK, QUIET = "#1f4e79", "#8a8a8a"


def main() -> None:
    """Two panels: environments in a batch, demands in a network."""
    document = json.loads((HERE / "results" / "env-speed.json").read_text(encoding="utf-8"))
    mpl.rcParams.update({"svg.hashsalt": "bwalloc", "font.size": 9, "svg.fonttype": "none"})
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
    batches = document["environments"]
    _line(left, [(row["num_envs"], row["steps_per_s"]) for row in batches])
    left.set(title=f"{document['env']}, vector environment", xlabel="environments in the batch")
    nets = document["demands"]
    _line(right, [(row["demands"], row["speed"]["steps_per_s"]) for row in nets])
    right.set(title=f"stars, simulator, {nets[0]['speed']['batch']} at once", xlabel="demands")
    left.set_ylabel("env-steps/s")
    target = HERE.parent / "docs" / "images" / "env-speed.svg"
    figure.savefig(target, metadata={"Date": None})


def _line(axes: Any, points: list[tuple[float, float]]) -> None:
    axes.loglog(*zip(*points, strict=True), marker="o", color=INK)
    for x, y in points:
        axes.annotate(f"{y:,.0f}", (x, y), (0, 6), textcoords="offset points", ha="center")
    axes.margins(x=0.15, y=0.25)
    axes.grid(visible=True, which="major", color=QUIET, alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main()
