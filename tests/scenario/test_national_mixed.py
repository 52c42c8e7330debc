"""A national backbone: what its description says, what residency and encryption forbid."""

import numpy as np
import pytest

from bwalloc.network.paths import Filters, finder_for
from bwalloc.network.privacy import private_tunnels
from bwalloc.scenario import draw_world, load_scenario
from bwalloc.workloads import TRAFFIC_CLASSES

SCENARIO = load_scenario("national-mixed")
NETWORK = SCENARIO.network


def rows(prefix):
    """Rows of the demands whose names begin so."""
    return [row for row, name in enumerate(NETWORK.demands.name) if name.startswith(prefix)]


def sites_of(row):
    """Names of all sites that the tunnels of a demand touch."""
    links = NETWORK.tunnels.hops[row]
    used = links[links < NETWORK.n_links]
    ends = np.concatenate([NETWORK.links.source[used], NETWORK.links.target[used]])
    return {NETWORK.sites.name[site] for site in ends}


def test_it_is_what_its_description_says():
    kinds, regions = NETWORK.sites.kind, NETWORK.sites.region

    assert (52, 3, 4) == tuple(kinds.count(kind) for kind in ("hub", "cloud", "gpu"))
    assert {"de", "nl", "cz"} == set(regions)
    assert 88 + 6 + 6 + 8 == len(NETWORK.spans.name)
    assert set(TRAFFIC_CLASSES) == set(NETWORK.demands.classes)
    assert NETWORK.n_demands <= 400
    assert {"llm", "clinics", "car", "lab", "cities", "operator"} == set(NETWORK.demands.tenant)
    assert ("lab", "car") == NETWORK.groups.name


def test_the_ports_of_the_clouds_are_sold_and_no_others():
    sold = [NETWORK.spans.name[row] for row in NETWORK.offers.span]

    assert sorted(name for name in NETWORK.spans.name if "cloud" in name) == sorted(sold)


def test_everything_in_it_fails_and_is_maintained():
    assert all(SCENARIO.failures.outages)
    assert SCENARIO.failures.maintenance is not None
    groups = [each for each in NETWORK.links.risk_group if each.startswith("duct-")]
    assert 8 == len(set(groups))
    assert 2 * 2 * 8 == len(groups)


@pytest.mark.parametrize("prefix", ["clinic-", "city-"])
def test_what_must_stay_in_the_country_does(prefix):
    abroad = {"amsterdam", "praha", "cloud-amsterdam"}
    for row in rows(prefix):
        assert ("de",) == NETWORK.demands.residency[row]
        assert not abroad & sites_of(row)


def test_residency_forbids_passau_its_short_path_over_prague():
    """To Berlin the shortest path leads over Prague; clinics may not take it."""
    name = NETWORK.sites.name.index
    ends = name("passau"), name("cloud-berlin")
    (free,) = finder_for(NETWORK.topology).paths(*ends, Filters(), 1)
    delay = NETWORK.links.delay_ms[list(free)].sum()
    crossed = {NETWORK.sites.name[site] for site in NETWORK.links.target[list(free)]}
    (row,) = [row for row in rows("clinic-caches/") if NETWORK.demands.source[row] == ends[0]]

    assert "praha" in crossed
    assert delay < NETWORK.tunnels.delay_ms[row, 0]


def test_encrypted_demands_take_no_leased_wave():
    leased = {row for row, kind in enumerate(NETWORK.links.encryption) if kind == "none"}
    coded = [row for row, kind in enumerate(NETWORK.demands.encryption) if kind != "none"]

    assert leased
    assert len(coded) > 40
    for row in coded:
        assert not leased & set(NETWORK.tunnels.hops[row].ravel().tolist())
    plain = np.setdiff1d(np.arange(NETWORK.n_demands), coded)
    assert leased & set(NETWORK.tunnels.hops[plain].ravel().tolist())


def test_routing_keeps_every_promise():
    np.testing.assert_array_equal(NETWORK.tunnels.exists, private_tunnels(NETWORK))


def test_every_class_has_work_in_an_episode():
    world = draw_world(SCENARIO, "test", 0)
    gbit = world.arrivals_gbit.sum((0, 1)) + world.jobs_gbit.sum((0, 2))

    for name in TRAFFIC_CLASSES:
        assert gbit[NETWORK.demands.rows_of(name)].sum() > 0, name
