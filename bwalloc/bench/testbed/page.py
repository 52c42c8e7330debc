"""A testbed as one HTML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bwalloc.bench.report.write import templates, write_page


def write_testbed(path: Path | str, found: Mapping[str, Any]) -> Path:
    """Write the page of the document of `testbed --json`, as `write_report` does."""
    return write_page(path, render_page(found))


def render_page(found: Mapping[str, Any]) -> str:
    """The page as text: one file, no script, no request."""
    ranked = sorted(
        found["allocators"].items(), key=lambda item: -item[1]["packets"]["net_usd_per_h"]["mean"]
    )
    return templates().get_template("testbed.html.j2").render(found=found, ranked=ranked)
