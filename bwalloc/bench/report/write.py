"""Puts the records into the templates, and the page into its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bwalloc.bench.report import figures
from bwalloc.bench.report.bars import money_chart, regret_chart, summary_of
from bwalloc.bench.report.curves import curves
from bwalloc.bench.report.headline import headline
from bwalloc.bench.report.map import network_map
from bwalloc.bench.report.records import EnvReport, Report
from bwalloc.bench.report.words import allocators_explained, words
from bwalloc.files import write_atomically
from bwalloc.money import TERMS

TEMPLATES = Path(__file__).parent / "templates"


def write_report(path: Path | str, report: Report) -> Path:
    """Write the page; whatever fails, a file that was there before stays as it was.

    Args:
        path: where; missing folders are made.
        report: what to show.

    Returns:
        The path.

    Raises:
        OSError: the file cannot be written.
    """
    return write_page(path, render_report(report))


def write_page(path: Path | str, text: str) -> Path:
    """Write any page as `write_report` does; returns the path."""
    path = Path(path)
    write_atomically(path, text.encode())
    return path


def render_report(report: Report) -> str:
    """The page as text: one file, no script, no request."""
    drawn = [shown(env) for env in report.environments]
    names = dict.fromkeys(row.name for env in report.environments for row in env.ranked)
    template = templates().get_template("report.html.j2")
    return template.render(
        report=report,
        environments=drawn,
        allocators=allocators_explained(names),
        words=words(report.environments),
        money_terms=TERMS,
    )


def shown(env: EnvReport) -> dict[str, Any]:
    """An environment and everything that is drawn of it."""
    money = money_chart(env)
    return {
        "env": env,
        "headline": headline(env),
        "regret": regret_chart(env),
        "money": money,
        "map": network_map(env.network) if env.network and env.network.sites else None,
        "curves": curves(env.series) if env.series and len(env.series.hours) else None,
    }


def templates() -> Environment:
    """The templates of the pages, with the filters they use."""
    loader = FileSystemLoader(TEMPLATES)
    made = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {
        "amount": figures.amount,
        "share": figures.share,
        "counted": figures.counted,
        "listed": figures.listed,
        "grouped": "{:,}".format,
        "fixed": figures.amount_fixed,
        "summary": summary_of,
    }
    made.filters.update(filters)
    return made
