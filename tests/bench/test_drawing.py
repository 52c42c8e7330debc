"""The drawings of the report hold what was played."""

from __future__ import annotations

import numpy as np

from bwalloc.bench.compare import compare
from bwalloc.bench.drawing import draw_network, draw_series
from bwalloc.bench.tasks import scenario_of
from bwalloc.cli.main import main


def test_drawings_hold_what_was_played():
    result = compare(
        "tiny-edge", allocators=["max-min"], episodes=1, overrides={"time.intervals": 40}
    )
    scenario = scenario_of(result.setting)
    names = ["max-min", "static-peak"]
    network, series = (draw(scenario, result, names) for draw in (draw_network, draw_series))

    drawn = [line.utilisation["max-min"] for line in network.links]
    np.testing.assert_allclose(drawn, result.played["max-min"].utilisation)
    offered = [p.offered_gbps for p in series.panels if p.allocator == "max-min"]
    played = result.played["max-min"].offered_series
    assert len(series.hours) == len(played)
    np.testing.assert_allclose(np.sum(offered, 0), played.sum(1), rtol=1e-5)


def test_report_is_written_by_the_command(tmp_path):
    page = tmp_path / "page.html"
    options = ["--allocators", "max-min", "--episodes", "1", "--jobs", "1", "--report", str(page)]

    assert main(["compare", "tiny-edge", *options]) == 0
    assert "max-min" in page.read_text()
    assert "<svg" in page.read_text()
