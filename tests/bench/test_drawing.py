"""The drawings of the report hold what was played."""

from __future__ import annotations

import numpy as np
import pytest

from bwalloc.bench.compare import compare
from bwalloc.bench.drawing import draw_network, draw_series
from bwalloc.bench.tasks import Setting, scenario_of
from bwalloc.cli.main import main


def test_drawings_hold_what_was_played():
    result = compare(
        "tiny-edge", allocators=["max-min"], episodes=1, overrides={"time.intervals": 40}
    )
    scenario = scenario_of(result.setting)
    names = ["max-min", "static-peak"]
    network, series = (draw(scenario, result, names) for draw in (draw_network, draw_series))

    counted = scenario.timing.intervals - scenario.timing.warmup_intervals
    assert len(series.hours) == counted
    for name in names:
        played = result.played[name]
        drawn = [line.utilisation[name] for line in network.links]
        np.testing.assert_allclose(drawn, played.utilisation)
        for panel in (panel for panel in series.panels if panel.allocator == name):
            rows = scenario.network.demands.rows_of(panel.traffic_class)
            offered, served = played.offered_series[:, rows], played.served_series[:, rows]
            np.testing.assert_allclose(panel.offered_gbps, offered.sum(1))
            np.testing.assert_allclose(panel.served_gbps, served.sum(1))
    classes = {panel.traffic_class for panel in series.panels}
    assert len(series.panels) == len(names) * len(classes)
    assert classes == set(scenario.network.demands.traffic_class)


def test_drawn_links_join_the_sites_they_join():
    result = compare("tiny-edge", allocators=["max-min"], episodes=1)
    topology = scenario_of(result.setting).network.topology
    network = draw_network(scenario_of(result.setting), result, ["max-min"])

    ends = [
        f"{network.sites[line.source].name}>{network.sites[line.target].name}"
        for line in network.links
    ]
    names = topology.sites.name
    pairs = zip(topology.links.source, topology.links.target, strict=True)
    assert ends == [f"{names[source]}>{names[target]}" for source, target in pairs]


def test_report_is_written_by_the_command(tmp_path):
    page = tmp_path / "page.html"
    options = ["--allocators", "max-min", "--episodes", "1", "--jobs", "1", "--report", str(page)]

    assert main(["compare", "tiny-edge", *options]) == 0
    for shown in ("max-min", "<svg", scenario_of(Setting("tiny-edge")).title):
        assert shown in page.read_text()


@pytest.mark.parametrize("option", ["--json", "--report"])
def test_a_file_that_cannot_be_written_any_more_is_one_line(option, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("bwalloc.cli.compare.check_outputs", lambda **_: None)
    options = ["--allocators", "max-min", "--episodes", "1", "--jobs", "1", option, str(tmp_path)]

    assert main(["compare", "tiny-edge", *options]) == 2
    printed = capsys.readouterr()
    assert "best classical" in printed.out
    assert f"bwalloc: Cannot write '{tmp_path}'" in printed.err
