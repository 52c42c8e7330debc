"""What a comparison found, in sentences computed from its numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bwalloc.bench.report.figures import amount, counted, share
from bwalloc.bench.report.records import CLAIRVOYANT, LEGACY, AllocatorRow, EnvReport
from bwalloc.bench.statistics import Interval

LITTLE = 0.005
"""Below this share of the money of legacy, a gain is said to be little, however sure it is."""


@dataclass(frozen=True, slots=True)
class Headline:
    """One sentence large, the others below it; `caveats` are what a reader must not miss."""

    first: str
    others: list[str]
    caveats: list[str]


def headline(env: EnvReport) -> Headline:
    """Who won, by how much over legacy and over the best rule, and what is left."""
    winner = env.contenders[0]
    others = [
        _against_legacy(env, winner),
        _against_rules(env, winner),
        _left(winner),
        *_references(env, winner),
    ]
    return Headline(_first(env, winner), [text for text in others if text], _caveats(env, winner))


def _first(env: EnvReport, winner: AllocatorRow) -> str:
    legacy, below = env.legacy, _below_bound(env, winner)
    if winner.name == LEGACY:
        return f"Nothing earns more than {LEGACY} here{below}."
    if legacy is None:
        return f"{winner.name} earns the most: {amount(winner.net_usd_per_h.mean)} $/h{below}."
    gain = winner.net_usd_per_h.mean - legacy.net_usd_per_h.mean
    base = legacy.net_usd_per_h.mean
    if base > 0.0 and gain < LITTLE * base:
        found = f"the best, {winner.name}, earns {share(gain / base, 2)} more than {LEGACY}"
        return f"Little to gain here: {found}{below}."
    part = f" (+{share(gain / base, 0)})" if base > 0.0 else ""
    return f"{winner.name} earns {amount(gain)} $/h more than {LEGACY}{part}{below}."


def _below_bound(env: EnvReport, winner: AllocatorRow) -> str:
    bound = env.bound_usd_per_h.mean
    if not math.isfinite(bound):
        return ""
    short = bound - winner.net_usd_per_h.mean
    if bound <= 0.0:
        return f", and ends {amount(short)} $/h below the proven bound"
    return f", and ends {share(short / bound)} below the proven bound"


def _against_legacy(env: EnvReport, winner: AllocatorRow) -> str:
    gain, legacy = winner.gain_over_legacy, env.legacy
    if gain is None or legacy is None or winner.name == LEGACY:
        return ""
    nets = f"{amount(winner.net_usd_per_h.mean)} against {amount(legacy.net_usd_per_h.mean)} $/h"
    sure = "" if gain.lo > 0.0 else "; that includes zero, so it is no proof"
    ahead = f"ahead in {winner.episodes_ahead} of {counted(env.episodes, 'episode')}"
    return f"That is {nets} for legacy provisioning (difference, {_spread(gain)}{sure}; {ahead})."


def _against_rules(env: EnvReport, winner: AllocatorRow) -> str:
    agents = [row for row in env.contenders if row.kind == "agent"]
    if winner.kind == "agent":
        gain = winner.gain_over_best_classical
        found = f"{amount(gain.mean)} $/h more than the best rule, {env.best_classical}"
        sure = "" if gain.lo > 0.0 else "; that includes zero, so it is no proof"
        return f"The agent {winner.name} earns {found} ({_spread(gain)}{sure})."
    if agents:
        short = amount(-agents[0].gain_over_best_classical.mean)
        name = agents[0].name
        return f"A rule wins: the best agent, {name}, earns {short} $/h less than {winner.name}."
    return _runner_up(env)


def _runner_up(env: EnvReport) -> str:
    if len(env.contenders) < 2:
        return ""
    close = [row.name for row in env.contenders[1:] if row.gain_over_best_classical.hi >= 0.0]
    if close:
        return f"Too close to call against it: {', '.join(close)}."
    row = env.contenders[1]
    gain = row.gain_over_best_classical
    less = Interval(-gain.mean, -gain.hi, -gain.lo)
    return f"Next is {row.name}, {amount(less.mean)} $/h behind ({_spread(less)})."


def _spread(gain: Interval) -> str:
    return f"95 %: {amount(gain.lo)} to {amount(gain.hi)}"


def _left(winner: AllocatorRow) -> str:
    if winner.left is None or not math.isfinite(winner.left):
        return ""
    if winner.left < 0.0:
        return f"It earns {share(-winner.left)} more than {CLAIRVOYANT}, a plan and not a bound."
    return f"{share(winner.left)} is left to {CLAIRVOYANT}, which knows the future."


def _references(env: EnvReport, winner: AllocatorRow) -> list[str]:
    ahead = [row for row in env.ranked if row.kind == "reference" and row.name != CLAIRVOYANT]
    gains = [(row.name, row.net_usd_per_h.mean - winner.net_usd_per_h.mean) for row in ahead]
    return [
        f"The reference {name} earns {amount(gain)} $/h more; nobody can run it."
        for name, gain in gains
        if gain > 0.0
    ]


def _caveats(env: EnvReport, winner: AllocatorRow) -> list[str]:
    broken = [f"{row.name} ({row.violations})" for row in env.rows if row.violations]
    caveats = [f"Limits were violated by {', '.join(broken)}."] if broken else []
    if winner.net_usd_per_h.mean < 0.0:
        net = amount(winner.net_usd_per_h.mean)
        caveats.append(f"Even {winner.name} loses money: {net} $/h.")
    if env.episodes < 2:
        caveats.append("One episode has no interval: nothing here is certain.")
    if env.interrupted:
        caveats.append("The run was interrupted: some episodes or allocators are missing.")
    if env.left_out:
        caveats.append(f"Left out: {', '.join(env.left_out)}.")
    return caveats
