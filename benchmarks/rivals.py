"""Who the rival of an environment is: chosen on validation, its mean return reported on test.

    python benchmarks/rivals.py metro-inference [--episodes 12] [--only NAME ..]

Prints the [rival] table to put into envs/<env>.toml. The return of an episode counts the warm-up,
as a policy in the Gymnasium environment earns it; the choice is made on what `compare` counts.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from bwalloc.allocate import CLASSICAL, ORDERING
from bwalloc.bench.tasks import Setting, batches_of, rule_of, run_allocator, scenario_of
from bwalloc.sim.play import play


def main() -> None:
    """Choose, then report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("env")
    parser.add_argument("--episodes", type=int, default=12)
    parser.add_argument("--only", nargs="*", choices=(*CLASSICAL, *ORDERING))
    arguments = parser.parse_args()
    validation = Setting(arguments.env, "validation", arguments.episodes)
    sells = scenario_of(validation, validation.seed).network.offers is not None
    names = arguments.only or (*CLASSICAL, *(ORDERING if sells else ()))
    earned = {name: float(run_allocator(validation, name)[0].net_usd.mean()) for name in names}
    best = max(earned, key=lambda name: earned[name])
    for name in sorted(earned, key=lambda name: -earned[name]):
        print(f"# {name}: {earned[name]:.2f} USD per validation episode")
    print("[rival]")
    print(f'allocator = "{best}"')
    print(f"mean_return = {mean_return(Setting(arguments.env, 'test', arguments.episodes), best)}")


def mean_return(setting: Setting, name: str) -> float:
    """Mean reward of whole episodes under an allocator, warm-up included."""
    returns: list[float] = []
    for batch in batches_of(setting):
        scenario = batch.scenario
        whole = replace(scenario, timing=replace(scenario.timing, warmup_intervals=0))
        played = play(whole, rule_of(scenario, name), batch.worlds)
        returns += (played.net_usd / scenario.reward_scale_usd).tolist()
    return round(sum(returns) / len(returns), 1)


if __name__ == "__main__":
    main()
