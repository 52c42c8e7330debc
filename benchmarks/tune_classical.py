"""Tune the classical allocators of an environment on its train split.

    python benchmarks/tune_classical.py metro-inference [--trials 60] [--episodes 8] [--jobs 2]

Writes benchmarks/results/tuning-<env>.json (budgets and scores) and prints the [allocators]
tables to put into envs/<env>.toml.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

from bwalloc.bench.tasks import Setting
from bwalloc.bench.tuning import SPACES, tune

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Tune everything but `constant` side by side, then `constant` on the tuned forecast."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("env")
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--episodes", type=int, default=8)
    parser.add_argument("--intervals", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=list(SPACES), choices=list(SPACES))
    arguments = parser.parse_args()
    overrides = {"time.intervals": arguments.intervals} if arguments.intervals else {}
    setting = Setting(arguments.env, "train", arguments.episodes, seed=1000, overrides=overrides)
    first = [name for name in arguments.only if name != "constant"]
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
        work = [pool.submit(tune, setting, name, arguments.trials, {}) for name in first]
        done = [future.result() for future in work]
    tuned = {one.allocator: one.constants for one in done}
    if "constant" in arguments.only:
        done.append(tune(setting, "constant", arguments.trials, tuned))
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"tuning-{arguments.env}.json"
    before = json.loads(path.read_text(encoding="utf-8"))["tunings"] if path.exists() else []
    new = {one.allocator: asdict(one) for one in done}
    tunings = {**{one["allocator"]: one for one in before}, **new}
    record = {"env": arguments.env, "split": "train", "tunings": list(tunings.values())}
    path.write_text(json.dumps(record, indent=1), encoding="utf-8")
    for one in done:
        print(f"# {one.usd_per_h_untuned:.2f} -> {one.usd_per_h:.2f} $/h on train")
        print(f"[allocators.{one.allocator}]")
        for key, value in one.constants.items():
            print(f'"{key}" = {value}')
        print()


if __name__ == "__main__":
    main()
