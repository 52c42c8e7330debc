"""Every prefix of a batch fits the links: what falls goes before what rises."""

import re

import numpy as np
from hypothesis import given, settings
from planes import file_for, worlds
from wide import wide

from bwalloc.serve.planes.htb.commands import changes
from bwalloc.serve.planes.htb.layout import FIRST_POOL, ROOT, build_layout
from bwalloc.serve.planes.htb.order import steps
from bwalloc.serve.planes.htb.table import Rates, Tables

LINE = re.compile(r"classid ([0-9a-f]+):([0-9a-f]+) htb rate (\d+)bit ceil (\d+)bit")


def most_of_prefixes(layout, before, lines):
    """The largest (guarantees less what is above them) of any link or pool after any line.

    Pools are rounded down to a thousandth below the sum of their members.
    """
    there, worst = dict(before), -np.inf
    for line in lines:
        major, minor, rate, ceil = LINE.search(line).groups()
        there[int(major, 16), int(minor, 16)] = Rates(int(rate), int(ceil))
        for port in layout.ports:
            mine = {key[1]: rates.rate for key, rates in there.items() if key[0] == port.major}
            leaves = sum(rate for minor, rate in mine.items() if ROOT < minor < FIRST_POOL)
            pools = sum(rate for minor, rate in mine.items() if minor >= FIRST_POOL)
            worst = max(worst, leaves - mine[ROOT], pools - mine[ROOT])
            for pool in port.pools:
                members = [
                    mine[leaf.minor]
                    for leaf, its in zip(port.leaves, port.pool_of, strict=True)
                    if its == pool
                ]
                worst = max(worst, 0.998 * sum(members) - mine[pool])
    return worst, there


def tables_of(network, **places):
    file = file_for(network, places=places)
    return Tables(build_layout(network, file), 1.0, file.least_change)


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_every_prefix_of_the_batch_fits_the_links(world):
    network, rounds, mode = world
    maker = tables_of(network, **({} if mode is None else {"mode": mode}))
    before = maker.of(rounds[0])
    for rates in rounds[1:]:
        after = maker.of(rates, before)
        lines = changes(maker.layout, steps(before, after)).get(None, [])
        worst, there = most_of_prefixes(maker.layout, before, lines)
        assert worst <= 0
        assert after == there
        before = after


def test_the_other_way_round_would_not_fit():
    network = wide(2, 1, tunnels=1, hops=1)
    maker, most = tables_of(network), float(network.links.capacity_gbps[0])
    before, after = (maker.of(np.array([[a], [most - a]])) for a in (0.2 * most, 0.8 * most))
    lines = changes(maker.layout, steps(before, after))[None]

    assert most_of_prefixes(maker.layout, before, lines)[0] <= 0
    assert most_of_prefixes(maker.layout, before, lines[::-1])[0] > 0


def test_a_link_that_shrinks_does_so_after_its_classes_and_before_others_rise():
    network = wide(2, 1, tunnels=1, hops=1)
    wide_link, narrow = (
        tables_of(network, capacity_gbps=10.0),
        tables_of(network, capacity_gbps=4.0),
    )
    before, after = wide_link.of(np.array([[9.0], [0.5]])), narrow.of(np.array([[2.0], [1.5]]))

    for one, other in ((before, after), (after, before)):
        lines = changes(wide_link.layout, steps(one, other))[None]
        assert most_of_prefixes(wide_link.layout, one, lines)[0] <= 0


def test_pools_fall_after_their_members_and_rise_before_them():
    network = wide(3, 2, tunnels=1)
    maker = tables_of(network, mode="connection")
    low, high = (maker.of(np.full((3, 1), rate)) for rate in (0.5, 1.0))

    for before, after in ((high, low), (low, high)):
        lines = changes(maker.layout, steps(before, after))[None]
        assert most_of_prefixes(maker.layout, before, lines)[0] <= 0


def test_what_the_watchdog_runs_fits_whatever_was_in_force():
    network = wide(3, 2, tunnels=1)
    maker = tables_of(network)
    static = maker.of(np.full((3, 1), 2.0))
    lines = [
        line
        for table in (maker.least(), static)
        for line in changes(maker.layout, table.items())[None]
    ]
    for rates in (np.full((3, 1), 30.0), np.array([[40.0], [0.0], [0.0]])):
        worst, there = most_of_prefixes(maker.layout, maker.of(rates), lines)
        assert worst <= 0
        assert static == there


def test_what_stays_is_not_written():
    network = wide(3, 2, tunnels=1)
    table = tables_of(network).of(np.full((3, 1), 2.0))

    assert [] == steps(table, table)
