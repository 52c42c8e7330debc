"""Tuning of the classical allocators on the train split, with optuna; equal budgets, recorded."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.allocate import make_rule
from bwalloc.bench.tasks import Setting, batches_of, history_of
from bwalloc.sim.play import play

if TYPE_CHECKING:
    import optuna

    from bwalloc.bench.tasks import Batch

Range = tuple[float, float, bool]
"""Low, high, and whether the scale is logarithmic."""

LEVEL: dict[str, Range] = {"alpha": (0.05, 1.0, True), "quantile": (0.5, 1.0, False)}
VALUE: dict[str, Range] = {
    "value_exponent": (0.0, 2.0, False),
    "spare_exponent": (-1.0, 2.0, False),
}
THRIFT: dict[str, Range] = {"thrift": (0.0, 15.0, False)}
SPACES: dict[str, dict[str, Range]] = {
    "static": {"factor": (0.3, 3.0, True)},
    "schedule": {"factor": (0.3, 3.0, True)},
    "proportional": {"over": (0.05, 3.0, True)},
    "max-min": {"over": (0.05, 3.0, True)},
    "strict-priority": {"over.*": (0.5, 10.0, True)},
    "earliest-deadline": {"over.*": (0.05, 10.0, True), "value_exponent": (0.0, 2.0, False)},
    "autoscale": {
        "window": (2, 30, False),
        "headroom": (0.5, 3.0, True),
        "up": (0.5, 1.0, False),
        "down": (0.1, 0.5, False),
    },
    "best-tier": {"worth": (0.2, 3.0, True), **THRIFT},
    "newsvendor": {
        "worth": (0.2, 3.0, True),
        "sigma": (0.05, 1.5, True),
        "horizon_h": (0.25, 4.0, True),
        **THRIFT,
    },
    "two-bar": {
        "renewal": (-2.0, 2.0, False),
        "bar": (-3.0, 2.0, False),
        "lead": (0.05, 0.999, False),
        **THRIFT,
    },
    "last-value-lp": {"margin.*": (0.5, 10.0, True)},
    "mpc": {"alpha": LEVEL["alpha"], "margin.*": (0.5, 10.0, True)},
    "stochastic-lp": {
        "alpha": (0.02, 0.5, True),
        "smoothing": (0.5, 5.0, False),
        "patience": (0.1, 1.0, False),
        "margin.*": (0.5, 10.0, True),
    },
    "forecast": {**LEVEL, "mix.*": (0.0, 1.0, False), "margin.*": (0.3, 10.0, True), **VALUE},
    "guarantee": {**LEVEL, "mix": (0.0, 1.0, False), "margin.*": (0.3, 10.0, True), **VALUE},
    "constant": {
        "reserve.*": (-1.5, 1.5, False),
        "weight.*": (-1.5, 1.5, False),
        "spare.*": (-1.5, 1.5, False),
    },
}
"""What is tuned; a key that ends in `.*` stands for one constant per traffic class."""
_PLANNED: dict[str, Range] = {
    "order_h": (0.5, 4.0, True),
    "lead": (0.3, 0.99, False),
    "worth": (0.5, 2.0, True),
    "thrift": (0.0, 15.0, False),
}
ORDERS: dict[str, dict[str, Range]] = {
    "mpc": {**_PLANNED, "headroom": (0.8, 2.0, True)},
    "stochastic-lp": {**_PLANNED, "tau_h": (0.3, 4.0, True)},
}
"""What is tuned besides where capacity can be ordered."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """The result for one allocator, and what it cost."""

    allocator: str
    constants: dict[str, float]
    usd_per_h: float
    usd_per_h_untuned: float
    trials: int
    simulated_intervals: int
    seconds: float


def tune(setting: Setting, name: str, trials: int, tuned: Mapping[str, Any]) -> Tuning:
    """Search the space of one allocator; the first trial is the default.

    Args:
        setting: episodes of the train split.
        name: a key of `SPACES`.
        trials: simulations, each of all episodes of `setting`.
        tuned: constants of allocators tuned before (`constant` corrects `forecast`), on top of
            those in the environment's file: rates and orders of one allocator may be two laws.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    begin = time.monotonic()
    batches = list(batches_of(setting))
    timing = batches[0].scenario.timing
    sells = batches[0].scenario.network.offers is not None
    classes = tuple(
        dict.fromkeys(k for batch in batches for k in batch.scenario.network.demands.classes)
    )

    def money(constants: Mapping[str, float]) -> float:
        found = {**tuned, name: dict(constants)}
        earned = [_net_usd(batch, name, {**batch.scenario.tuned, **found}) for batch in batches]
        return float(np.concatenate(earned).mean() / timing.counted_h)

    untuned = money({})
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=0, multivariate=False)
    )
    space = {**SPACES[name], **(ORDERS.get(name, {}) if sells else {})}
    study.optimize(lambda trial: money(_draw(trial, space, classes)), n_trials=trials)
    best = untuned >= study.best_value
    return Tuning(
        allocator=name,
        constants={} if best else {key: round(v, 4) for key, v in study.best_params.items()},
        usd_per_h=max(untuned, study.best_value),
        usd_per_h_untuned=untuned,
        trials=trials + 1,
        simulated_intervals=(trials + 1) * setting.episodes * timing.intervals,
        seconds=time.monotonic() - begin,
    )


def _net_usd(batch: Batch, name: str, known: Mapping[str, Any]) -> np.ndarray:
    scenario = batch.scenario
    rule = make_rule(name, scenario.network, history_of(scenario), known)
    return play(scenario, rule, batch.worlds).net_usd


def _draw(
    trial: optuna.Trial, space: Mapping[str, Range], classes: tuple[str, ...]
) -> dict[str, float]:
    drawn: dict[str, float] = {}
    for key, (low, high, log) in space.items():
        stem, star, _ = key.partition(".*")
        names = [f"{stem}.{kind}" for kind in classes] if star else [key]
        for each in names:
            drawn[each] = trial.suggest_float(each, low, high, log=log)
    return drawn
