"""Failures: drawn apart from everything else, as often and as long as their sources say."""

import numpy as np
import pytest

from bwalloc.errors import ScenarioError
from bwalloc.scenario import Timing, draw_world, load_scenario
from bwalloc.scenario.catalogue import find
from bwalloc.scenario.failures import (
    FailureLaw,
    OutageLaw,
    build_failures,
    draw_events,
    oftener,
)
from bwalloc.scenario.outages import Event, capacities_under
from bwalloc.scenario.schema_failures import (
    CutSection,
    FailureSection,
    FlapSection,
    MaintenanceSection,
)

TIMING = Timing(4, 10.0, 10, 0)
NOMINAL = np.array([8.0, 6.0])
ALL = {"failures.cut": {}, "failures.flap": {}, "failures.partial": {}, "failures.maintenance": {}}
OFTEN = {**ALL, "failures.accelerate": 300.0}


def event(rows, start_s, end_s, share=0.0, announced_s=None):
    return Event(np.array(rows), start_s, end_s, share, announced_s)


def under(*events):
    return capacities_under(events, NOMINAL, TIMING)


def test_a_failure_inside_an_interval_holds_from_its_substep_on():
    capacity, outages = under(event([0], 13.5, 25.0))

    assert [[8, 6], [0, 6], [8, 6], [8, 6]] == capacity.tolist()
    assert [[0, 0], [3, 0], [5, 0], [0, 0]] == outages.since.tolist()


def test_nobody_knows_of_a_failure_before_it_was_measured():
    _, outages = under(event([0], 13.5, 25.0))

    assert [[8, 6], [8, 6], [0, 6], [8, 6]] == outages.known_gbps.tolist()


def test_announced_works_are_known_for_every_interval_they_touch():
    _, outages = under(event([1], 14.0, 31.0, 0.5, announced_s=-100.0))

    assert [[8, 6], [8, 3], [8, 3], [8, 3]] == outages.known_gbps.tolist()


def test_works_announced_too_late_are_known_only_once_they_are_announced():
    _, outages = under(event([1], 14.0, 40.0, 0.0, announced_s=20.0))

    assert [[8, 6], [8, 6], [8, 0], [8, 0]] == outages.known_gbps.tolist()


def test_where_events_overlap_the_smallest_share_holds():
    capacity, _ = under(event([0], 0.0, 40.0, 0.5), event([0, 1], 10.0, 20.0, 0.25))

    assert [[4, 6], [2, 1.5], [4, 6], [4, 6]] == capacity.tolist()


def test_an_episode_may_begin_with_a_link_down():
    capacity, outages = under(event([0], -50.0, 10.0))

    assert [0, 8, 8, 8] == capacity[:, 0].tolist()
    assert 0 == outages.known_gbps[0, 0]
    assert 0 == outages.known_gbps[1, 0]


def share_down(section, hours=5_000.0, runs=400):
    numbers = section.model_dump(exclude={"source"})
    law = FailureLaw((OutageLaw((np.array([0]),), **numbers), None, None), None)
    rng = np.random.default_rng(3)
    length_s = hours * 3600
    down = count = 0.0
    for _ in range(runs):
        for each in draw_events(law, rng, length_s, 0.0):
            down += min(each.end_s, length_s) - each.start_s
            count += each.start_s > 0
    return down / (runs * length_s), count / (runs * hours)


def test_links_are_as_available_as_measured_wide_area_links():
    """99.3 to 99.7 % (Turner et al., SIGCOMM 2010), from the first hour of an episode on."""
    for hours, runs in ((5_000.0, 400), (1.0, 100_000)):
        down, _ = share_down(CutSection(), hours, runs)
        assert 0.003 < down < 0.0085


def test_flaps_are_as_frequent_as_they_are_said_to_be():
    down, per_hour = share_down(FlapSection(), 2_000.0, 100)

    assert pytest.approx(1 / 168.0, rel=0.05) == per_hour
    assert pytest.approx(0.0626 / 168, rel=0.05) == down


def test_failures_change_no_traffic_and_no_failures_change_nothing():
    plain = draw_world(load_scenario("metro-inference", {"intervals": 60}), "test", 3)
    failing = load_scenario("metro-inference", {"intervals": 60, **OFTEN})
    world = draw_world(failing, "test", 3)

    assert plain.outages is None
    assert world.outages is not None
    assert np.array_equal(plain.arrivals_gbit, world.arrivals_gbit)
    assert plain.start_h == world.start_h
    assert (world.capacity_gbps < plain.capacity_gbps).any()
    assert (world.capacity_gbps <= plain.capacity_gbps).all()


def test_one_kind_of_failure_does_not_move_another():
    both = load_scenario("metro-inference", OFTEN)
    alone = load_scenario("metro-inference", {"failures.flap": {}, "failures.accelerate": 300.0})
    one, other = (
        draw_events(each.failures, np.random.default_rng(5), 3600.0, 0.0) for each in (both, alone)
    )

    flaps = {(e.rows.tobytes(), e.start_s, e.end_s) for e in other}
    assert flaps
    assert flaps <= {(e.rows.tobytes(), e.start_s, e.end_s) for e in one}


def test_out_of_distribution_links_may_fail_more_often(tmp_path):
    text = find("tiny-edge").read_text()
    path = tmp_path / "tiny-edge.toml"
    shift = '\n[failures.flap]\nmean_up_h = 20.0\n[[ood]]\nname = "x"\nfailure_factor = 10.0\n'
    path.write_text(text[: text.index("[[ood]]")] + shift)
    scenario = load_scenario(path)
    down = {
        split: sum(
            (world.capacity_gbps == 0).mean()
            for world in (draw_world(scenario, split, seed) for seed in range(40))
        )
        for split in ("test", "ood")
    }

    assert 3 * down["test"] < down["ood"]


def test_works_cannot_be_more_than_nightly():
    section = FailureSection(maintenance=MaintenanceSection())
    law = build_failures(section, load_scenario("tiny-edge").network.topology)

    assert pytest.approx(2 * law.maintenance.per_night) == oftener(law, 2.0).maintenance.per_night
    assert 1.0 == oftener(law, 1e6).maintenance.per_night


def test_the_same_seed_fails_at_the_same_time():
    scenario = load_scenario("tiny-edge", {"intervals": 60, **OFTEN})
    first, again = (draw_world(scenario, "train", 11) for _ in range(2))

    assert np.array_equal(first.capacity_gbps, again.capacity_gbps)
    assert np.array_equal(first.outages.since, again.outages.since)


def test_a_cut_takes_the_whole_risk_group_and_a_flap_one_span(tmp_path):
    scenario = load_scenario(shared_duct(tmp_path), {"failures.cut": {}, "failures.flap": {}})
    cut, flap, partial = scenario.failures.outages
    names = scenario.network.links.name

    assert partial is None
    together = [sorted(names[row] for row in rows) for rows in cut.rows]
    assert ["edge-1>hub", "edge-2>hub", "hub>edge-1", "hub>edge-2"] in together
    assert {2} == {len(rows) for rows in flap.rows}


def shared_duct(tmp_path):
    from bwalloc.scenario import find

    text = find("tiny-edge").read_text()
    for span in ("0.8", "1.2"):
        text = text.replace(f"delay_ms = {span} }}", f'delay_ms = {span}, risk_group = "duct" }}')
    path = tmp_path / "duct.toml"
    path.write_text(text)
    return path


def test_maintenance_lies_at_night_where_the_site_is(tmp_path):
    path = shared_duct(tmp_path)
    path.write_text(
        path.read_text().replace('kind = "edge", ', 'kind = "edge", utc_offset_h = 5, ')
    )
    overrides = {"failures.maintenance": {}, "failures.accelerate": 7.0, "time.intervals": 8640}
    scenario = load_scenario(path, overrides)
    events = [
        each
        for seed in range(40)
        for each in draw_events(scenario.failures, np.random.default_rng(seed), 86_400.0, 30.0)
    ]
    links = scenario.network.links
    hours = {links.name[e.rows[0]]: (30.0 + e.start_s / 3600) % 24 for e in events}

    assert pytest.approx(21.0) == hours["edge-1>hub"]
    assert pytest.approx(2.0) == hours["hub>cloud"]
    assert all(e.end_s - e.start_s == pytest.approx(3 * 3600) for e in events)
    assert all(e.start_s - e.announced_s == pytest.approx(24 * 3600) for e in events)
    # Seven windows a week: one a day, and those of three hours that the start cuts.
    assert pytest.approx(40 * 27 / 24, rel=0.25) == len(events)


def test_a_share_that_leaves_everything_is_refused_by_name():
    with pytest.raises(ScenarioError, match=r"failures\.cut\.capacity_share"):
        load_scenario("tiny-edge", {"failures.cut.capacity_share": 1.0})
    with pytest.raises(ScenarioError, match="Nearest key: 'flap'"):
        load_scenario("tiny-edge", {"failures.flip": {}})
