"""What the names on the page mean, for a reader who meets them for the first time."""

from __future__ import annotations

from collections.abc import Iterable

from bwalloc.bench.report.records import EnvReport
from bwalloc.money.ledger import LAW

ALLOCATORS = {
    "static-peak": "Legacy: rates set once from the highest load of the training episodes.",
    "static": "Rates set once from the mean load of the training episodes.",
    "schedule": "Rates by hour of day, from the training episodes.",
    "autoscale": "The 95th percentile of recent load, held inside a dead band.",
    "proportional": "Shares in proportion to the load just measured.",
    "max-min": "Equal shares: nobody gets more while someone who wants it has less.",
    "strict-priority": "The load just measured, dearer classes first.",
    "earliest-deadline": "The nearest deadline first, the dearer demands first where equal.",
    "last-value-lp": "The optimum of a linear programme, if the load just measured came again.",
    "mpc": "The optimum of a linear programme over several intervals of forecast load.",
    "stochastic-lp": "The rates that earn most on average over the loads that may come.",
    "forecast": "A quantile forecast of every demand, shared out by value.",
    "constant": "The forecast with one tuned correction per traffic class.",
    "guarantee": "Forecast guarantees, pooled where classes may borrow from each other.",
    "best-tier": "The forecast, on the tiers that would have earned most on the training episodes.",
    "newsvendor": "The forecast; tiers of the highest expected net if the load is lognormal.",
    "two-bar": "The forecast; tiers that follow the load behind a gate with two bars.",
    "borrow-ideal": "Static rates if every link could lend what is unused; real leases cannot.",
    "clairvoyant": "A plan made with the future known, then played. Nobody can run it.",
}
"""What each allocator of the catalogue does; agents have a card of their own."""

GENERAL = {
    "bound": "A proven ceiling (weak duality): no allocator, even one that knows the future, can "
    "earn more in these episodes.",
    "regret": "(bound \N{MINUS SIGN} net) / (bound \N{MINUS SIGN} static-peak): 0 at the bound, "
    "1 at legacy. Legacy is weak, which flatters everyone.",
    "left to clairvoyant": "(clairvoyant \N{MINUS SIGN} net) / clairvoyant: what knowing the "
    "future would still add.",
    "gain over best rule": "Difference to the best classical allocator in the same episodes.",
    "95 %": "Bootstrap interval over the episodes; differences are paired, episode by episode.",
    "SLO": "Share of the finished work of a class that was within its delay budget.",
    "violations": "Allocations that broke a capacity or used a tunnel that does not exist.",
    "classical, agent, reference": "A rule or linear programme; a learned policy; something that "
    "knows more than a controller can, so it never wins here.",
}


def words(environments: Iterable[EnvReport]) -> list[tuple[str, str]]:
    """Terms of the money that occur in any environment, then the figures of the page."""
    rows = [row for env in environments for row in env.rows]
    used = {term for row in rows for term, usd in row.money_usd_per_h.items() if usd}
    money = [(term.name, _sentence(term.meaning)) for term in LAW if term.name in used]
    return [*money, *GENERAL.items()]


def allocators_explained(names: Iterable[str]) -> list[tuple[str, str]]:
    """Those of `names` that the catalogue knows, with what they do."""
    return [(name, ALLOCATORS[name]) for name in names if name in ALLOCATORS]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
