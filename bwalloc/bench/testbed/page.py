"""A testbed as one HTML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bwalloc.bench.report.write import templates
from bwalloc.files import write_atomically


def write_page(path: Path | str, found: Mapping[str, Any]) -> Path:
    """Write the page; whatever fails, a file that was there before stays as it was.

    Args:
        path: where; missing folders are made.
        found: the document of `testbed --json`.

    Returns:
        The path.

    Raises:
        OSError: the file cannot be written.
    """
    path = Path(path)
    write_atomically(path, render_page(found).encode())
    return path


def render_page(found: Mapping[str, Any]) -> str:
    """The page as text: one file, no script, no request."""
    ranked = sorted(
        found["allocators"].items(), key=lambda item: -item[1]["packets"]["net_usd_per_h"]["mean"]
    )
    return templates().get_template("testbed.html.j2").render(found=found, ranked=ranked)
