"""What each class gets."""

import numpy as np
import pytest
from hypothesis import given, settings
from planes import file_for, worlds
from wide import wide

from bwalloc.scenario import load_scenario
from bwalloc.serve.planes.htb.layout import FIRST_LEAF, REST, ROOT, build_layout
from bwalloc.serve.planes.htb.rates import shown
from bwalloc.serve.planes.htb.table import Tables

LINK = "hub>cloud"


@pytest.fixture(scope="module")
def tiny():
    return load_scenario("tiny-edge").network


def tables(network, links=None, *, least_change=0.01, **options):
    return Tables(build_layout(network, file_for(network, links, **options)), 1.0, least_change)


def leaves(table):
    return [rates.rate for key, rates in sorted(table.items()) if key[1] >= FIRST_LEAF]


def column(network, *gbps):
    """Rates of the demands that cross the link, in order; of the others 0."""
    rates = np.zeros((network.n_demands, 1))
    rates[2:, 0] = gbps
    return rates


def test_a_class_has_the_rate_of_its_demand(tiny):
    table = tables(tiny, [LINK]).of(column(tiny, 1, 2, 3, 4, 0.5, 0.25))

    assert [1e9, 2e9, 3e9, 4e9, 5e8, 2.5e8] == leaves(table)


def test_a_shared_class_has_the_sum_of_its_tunnels():
    network = wide(2, 1, tunnels=3, hops=1)
    rates = np.array([[0.1, 0.2, 0.3], [0.0, 0.4, 0.0]])

    assert [600_000_000, 400_000_000] == leaves(tables(network).of(rates))


def test_caps_end_at_the_rate_and_guarantees_at_the_link(tiny):
    rates = np.ones((tiny.n_demands, 1))
    capped = tables(tiny, [LINK]).of(rates)
    shared = tables(tiny, [LINK], places={"mode": "guarantee"}).of(rates)

    assert {each.rate == each.ceil for each in capped.values()} == {True}
    assert {14_300_000_000} == {each.ceil for each in shared.values()}
    assert leaves(capped) == leaves(shared)


def test_a_connection_has_what_its_demands_have_together(tiny):
    file = file_for(tiny, [LINK], places={"mode": "connection"})
    maker = Tables(build_layout(tiny, file), 1.0, 0.01)
    table = maker.of(column(tiny, 1, 2, 3, 4, 0.5, 0.25))
    (port,) = maker.layout.ports

    assert [4.5e9, 6.25e9] == [table[port.id(pool)].rate for pool in port.pools]
    assert [4.5e9, 6.25e9] == [table[port.id(pool)].ceil for pool in port.pools]
    assert {14_300_000_000} == {table[port.id(leaf.minor)].ceil for leaf in port.leaves}
    assert 14_300_000 == table[port.id(REST)].ceil


def test_a_demand_without_a_rate_keeps_the_least(tiny):
    table = tables(tiny, [LINK]).of(column(tiny, 1, 0, 0, 0, 0, 0))

    assert [1e9, *[8000] * 5] == leaves(table)


def test_what_does_not_fit_is_cut_in_proportion(tiny):
    table = tables(tiny, [LINK]).of(column(tiny, 20, 10, 0, 0, 0, 0))
    found = leaves(table)

    assert 2.0 == pytest.approx(found[0] / found[1], rel=2e-3)
    assert 14.3e9 * 0.997 < sum(found) <= 14.3e9


def test_a_full_decision_loses_little_to_the_rest(tiny):
    found = leaves(tables(tiny, [LINK]).of(column(tiny, 2, 2, 2, 2, 2, 4.3)))

    assert 0.998 < sum(found) / 14.3e9 <= 1.0


def test_tiny_changes_are_left_out(tiny):
    maker = tables(tiny, [LINK])
    before = maker.of(column(tiny, 1, 1, 1, 1, 1, 1))
    after = maker.of(column(tiny, 1.005, 0.995, 1.02, 0.98, 1, 1), before)

    assert [1e9, 1e9, 1.02e9, 9.8e8, 1e9, 1e9] == leaves(after)


def test_a_tiny_fall_is_made_where_another_rises_into_its_room(tiny):
    maker = tables(tiny, [LINK])
    before = maker.of(column(tiny, 10, 1, 1, 1, 0.6, 0.6))
    after = maker.of(column(tiny, 9.95, 1.1, 1, 1, 0.6, 0.6), before)

    assert leaves(before)[0] > leaves(after)[0] == 9.95e9
    assert sum(leaves(after)) <= 14.3e9


def test_the_link_and_the_rest_stay(tiny):
    table = tables(tiny, [LINK]).of(np.ones((tiny.n_demands, 1)))

    assert (14_300_000_000, 14_300_000) == (table[0xB000, ROOT].rate, table[0xB000, REST].rate)


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_guarantees_fit_their_link_whatever_was_decided(world):
    network, rounds, mode = world
    maker = tables(network, places={} if mode is None else {"mode": mode})
    table = None
    for rates in rounds:
        table = maker.of(rates, table)
        for port in maker.layout.ports:
            whole = sum(table[port.id(leaf.minor)].rate for leaf in port.leaves)
            assert whole + table[port.id(REST)].rate <= table[port.id(ROOT)].rate
        assert all(value == shown(value) for each in table.values() for value in each)
