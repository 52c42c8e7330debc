"""A testbed as one HTML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bwalloc.bench.report.words import allocators_explained
from bwalloc.bench.report.write import templates, write_page
from bwalloc.bench.testbed.page_bars import gap_chart, kind_of, loop_chart, net_chart
from bwalloc.bench.testbed.page_words import (
    WORDS,
    gaps_of,
    headline_of,
    loop_range_ms,
    most_lost,
    net,
    target_found,
    target_name,
)


def write_testbed(path: Path | str, found: Mapping[str, Any]) -> Path:
    """Write the page of a testbed, as `write_report` does.

    Args:
        path: where; missing folders are made.
        found: the document of `testbed --json`, made just now or read back from the file.
    """
    return write_page(path, render_page(found))


def render_page(found: Mapping[str, Any]) -> str:
    """The page as text: one file, no script, no request."""
    rows = found["allocators"]
    ranked = sorted(rows, key=lambda name: -net(found, name))
    template = templates().get_template("testbed.html.j2")
    return template.render(
        found=found,
        ranked=[(name, kind_of(name, ranked[0]), rows[name]) for name in ranked],
        winner=rows[ranked[0]],
        headline=headline_of(found, ranked),
        gaps=gaps_of(found),
        lost=most_lost(found),
        loop_ms=loop_range_ms(found),
        net=net_chart(found, ranked),
        gap=gap_chart(found),
        timed=loop_chart(found, ranked),
        targets=[
            (target_name(name), each["target"], target_found(each["found"]), each["holds"])
            for name, each in found["verdict"].items()
        ],
        words=WORDS,
        allocators=allocators_explained(ranked),
    )
