"""The page of a plan: shadow prices, the advised upgrade promised and found, and legacy's cost."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bwalloc.bench.report.document import report_from_document
from bwalloc.bench.report.plan_bars import check_chart, worth_chart
from bwalloc.bench.report.plan_words import WORDS, plan_headline
from bwalloc.bench.report.words import allocators_explained
from bwalloc.bench.report.write import shown, templates, write_page
from bwalloc.money import TERMS

MOST_ROWS = 60
"""Spans and upgrades in the tables; the JSON file holds all of them."""


def write_plan(path: Path | str, plan: Mapping[str, Any]) -> Path:
    """Write the page of the document of `plan --json`, as `write_report` does."""
    return write_page(path, render_plan(plan))


def render_plan(plan: Mapping[str, Any]) -> str:
    """The page as text: one file, no script, no request."""
    compared = report_from_document({**plan, "results": [plan["comparison"]]})
    (env,) = compared.environments
    return (
        templates()
        .get_template("plan.html.j2")
        .render(
            plan=plan,
            one=shown(env),
            env=env,
            winner=env.contenders[0],
            index=0,
            headline=plan_headline(plan),
            worth=worth_chart(plan["spans"]),
            check=check_chart(plan["advised"]),
            spans=plan["spans"][:MOST_ROWS],
            upgrades=plan["upgrades"][:MOST_ROWS],
            words=WORDS,
            allocators=allocators_explained(row.name for row in env.ranked),
            money_terms=TERMS,
        )
    )
