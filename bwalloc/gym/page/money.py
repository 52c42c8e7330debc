"""Reward: the terms of the money, their coefficients here, and the scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.gym.page.markdown import code, number, plain, range_of, table
from bwalloc.money.ledger import LAW, SYMBOLS
from bwalloc.scenario.economics import economics_of

if TYPE_CHECKING:
    from bwalloc.gym.page.subject import Subject
    from bwalloc.network import Network


def reward(subject: Subject) -> str:
    """The law, what its terms are here, and what each class is worth."""
    scale = subject.scenario.reward_scale_usd
    sum_of = " ".join(f"{'-+'[t.sign > 0]} \\text{{{t.name}}}_t" for t in LAW).removeprefix("+ ")
    law = f"$$r_t = \\frac{{1}}{{{number(scale)}\\,\\text{{USD}}}} \\left( {sum_of} \\right)$$"
    lead = "The money of the interval over `money.reward_scale_usd`. Every term is a "
    lead += 'non-negative amount in USD and stands in `info["reward_terms"]`, unscaled.'
    return "\n\n".join([lead, law, _terms(subject), _symbols(), _classes(subject)])


def _terms(subject: Subject) -> str:
    here = _here(subject)
    header = ["term", "sign", "formula, USD", "meaning", "here"]
    rows = [
        [code(t.name), "-+"[t.sign > 0], f"${t.formula}$", plain(t.meaning), here.get(t.name, "")]
        for t in LAW
    ]
    return table(header, rows)


def _here(subject: Subject) -> dict[str, str]:
    network = subject.scenario.network
    law, groups, egress = network.law, network.groups, network.tunnels.egress_usd_per_gbit
    lines = len(law.is_curved) - int(law.is_curved.sum())
    return {
        "delivered": f"{lines} demands linear, {int(law.is_curved.sum())} with a ladder",
        "expired": "see the classes",
        "late": "see the classes" if law.late_usd_per_gbit_s.any() else "off",
        "stall": f"{len(groups.name)} groups" if len(groups.name) else "no groups",
        "bandwidth": f"{number(float(network.spans.usd_per_h.sum()))} USD/h, {_whose(network)}",
        "egress": f"up to {number(float(egress.max()))} USD/Gbit" if egress.any() else "no fees",
        "churn": f"$\\chi$ = {number(law.churn_usd_per_gbps)}" if law.churn_usd_per_gbps else "off",
    }


def _whose(network: Network) -> str:
    if network.offers is None:
        return "whatever is done"
    return "at the tiers that spans begin with; orders change it"


def _symbols() -> str:
    return table(["symbol", "meaning"], [[f"${key}$", text] for key, text in SYMBOLS.items()])


def _classes(subject: Subject) -> str:
    law, rows = subject.scenario.network.law, list[list[str]]()
    for name, members in subject.rows_by_class.items():
        economics = economics_of(name, subject.file.classes.get(name), subject.scenario.slug)
        values = law.value_usd_per_gbit[members, : len(economics.value_until)]
        until = ", ".join(number(share) for share in economics.value_until[:-1])
        costs = (law.expiry_usd_per_gbit, law.late_usd_per_gbit_s, law.settle_usd_per_gbit)
        rows.append(
            [
                code(name),
                ", ".join(range_of(piece) for piece in values.T),
                until or "one piece",
                *(range_of(np.asarray(cost)[members]) for cost in costs),
                number(economics.borrow_weight),
            ]
        )
    header = [
        "class", "$v$, USD/Gbit", "$u$, share", "$e$, USD/Gbit", "$l$, USD/(Gbit s)",
        "$c$, USD/Gbit", "borrow weight",
    ]  # fmt: skip
    lead = "What the classes are worth here; a range where it differs by demand, as where value "
    lead += "grows with the GPU price of the service:"
    return f"{lead}\n\n{table(header, rows)}"
