"""What the two-stage program knows, wants and never does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from builders import random_world, star

from bwalloc.allocate import make_rule
from bwalloc.allocate.limits import violations
from bwalloc.allocate.lp.outlook import MEMORY, learn_outlook
from bwalloc.allocate.lp.pair_lp import PIECES, PairLp
from bwalloc.allocate.lp.pair_worth import LATER, NOW, pairs_of
from bwalloc.observe import Window, measured, no_history
from bwalloc.scenario import World
from bwalloc.sim import Episodes, Simulator

NAME = "stochastic-lp"


def network_of(values, *, per_site=1, deadline_s=1.0, egress=0.0, pieces=None):
    """Demands with these values that cross one core link; `per_site` of them between one pair."""
    scenario = star(n_sites=len(values) // per_site, per_site=per_site, tunnels=1)
    network, n = scenario.network, len(values)
    value = np.asarray(values, float)[:, None] if pieces is None else pieces[0]
    until = np.full((n, 1), np.inf) if pieces is None else pieces[1]
    nothing = np.zeros(n)
    law = replace(
        network.law,
        value_usd_per_gbit=value,
        value_until=until,
        expiry_usd_per_gbit=nothing,
        late_usd_per_gbit_s=nothing,
    )
    demands = replace(network.demands, deadline_s=np.full(n, deadline_s))
    tunnels = replace(network.tunnels, egress_usd_per_gbit=np.full((n, 1), egress))
    return replace(network, law=law, demands=demands, tunnels=tunnels)


def pairs_in(network, patience=0.5):
    """Pairs without groups that stall."""
    waits = network.demands.deadline_s > network.interval_s
    return pairs_of(network, patience, np.zeros(network.n_demands), waits)


def best_rates(network, loads, core_gbps):
    """Rates of the pairs where loads (scenarios, demands) are equally likely."""
    pairs = pairs_in(network)
    load = np.asarray(loads, float).T[:, None]
    work = pairs.work(np.stack([load, load * 0]))
    curves = pairs.curves(work, PIECES)
    capacity = np.where(network.links.is_work_conserving, 1e3, core_gbps)
    programme = PairLp(network, pairs.first)
    rates = programme.solve(
        curves.width_gbps[:, :, 0], curves.slope_usd_per_gbit[:, :, 0], capacity
    )
    return rates.sum(1), pairs, work


def test_a_rate_that_costs_is_the_critical_quantile_of_the_load():
    network = network_of([1.0], egress=0.35)
    loads = np.arange(1.0, 11.0)[:, None]
    rates, _, _ = best_rates(network, loads, core_gbps=100.0)
    assert rates[0] == pytest.approx(7.0, abs=1e-6)  # P(load > 7) = .3 < .35 <= P(load > 6)


@pytest.mark.parametrize(("value", "expected"), [(3.0, [4.0, 6.0]), (5.0, [10.0, 0.0])])
def test_a_scarce_link_goes_to_the_highest_expected_value(value, expected):
    network = network_of([value, 2.0])
    rates, _, _ = best_rates(network, [[0.0, 6.0], [10.0, 6.0]], core_gbps=10.0)
    np.testing.assert_allclose(rates, expected, atol=1e-6)


def test_a_curve_is_the_mean_worth_of_filling_dearest_first():
    value = np.array([[4.0, 1.0], [2.0, 0.0]])
    until = np.array([[0.25, np.inf], [np.inf, np.inf]])
    network = network_of([0.0, 0.0], per_site=2, pieces=(value, until))
    rng = np.random.default_rng(3)
    loads = rng.gamma(1.0, 2.0, (5, 2))
    _, pairs, work = best_rates(network, loads, core_gbps=10.0)
    curves = pairs.curves(work, PIECES)
    ends = np.cumsum(curves.width_gbps[:, 0, 0])
    worth = np.cumsum(curves.width_gbps[:, 0, 0] * curves.slope_usd_per_gbit[:, 0, 0])
    by_hand = [
        np.mean([filled(end, [(4.0, a / 4), (2.0, b), (1.0, 3 * a / 4)]) for a, b in loads])
        for end in ends
    ]
    np.testing.assert_allclose(worth, by_hand, rtol=1e-9)


def filled(rate, works):
    """Worth of one scenario: (value, load) in turn."""
    earned = 0.0
    for value, load in works:
        earned += value * min(rate, load)
        rate -= min(rate, load)
    return earned


def test_slopes_fall_so_that_the_program_is_an_lp():
    network = star(n_sites=4, per_site=5).network
    pairs = pairs_in(network)
    load = np.random.default_rng(0).gamma(0.5, 2.0, (2, network.n_demands, 2, 32))
    slope = pairs.curves(pairs.work(load), PIECES).slope_usd_per_gbit
    for curve in slope.reshape(PIECES, -1).T:
        assert (np.diff(curve[curve > 0]) <= 1e-12).all()


def test_dearer_work_of_a_pair_is_guaranteed_first():
    network = network_of([5.0, 1.0], per_site=2)
    pairs = pairs_in(network)
    load = np.array([[2.0, 4.0], [3.0, 3.0]])[:, None]
    work = pairs.work(np.stack([load, load * 0]))
    given = pairs.guarantees(np.array([[6.0]]), work)
    np.testing.assert_allclose(given[:, 0], [4.0, 2.0])
    beyond = pairs.guarantees(np.array([[14.0]]), work)
    np.testing.assert_allclose(beyond[:, 0], [8.0, 6.0])


def test_work_that_may_wait_counts_less_than_work_that_is_due():
    network = network_of([1.0], deadline_s=600.0)
    pairs = pairs_in(network, patience=0.25)
    assert [NOW, LATER] == pairs.kind[0].tolist()
    assert [1.0, 0.25] == pairs.value[0].tolist()


def test_the_backlog_is_due_at_the_rate_that_keeps_its_deadlines():
    network = network_of([1.0], deadline_s=600.0)
    rule = make_rule(NAME, network, no_history(1), {})
    rule.reset(1)
    queued = np.zeros((1, 6, 1), np.float32)
    queued[0, 1], queued[0, 5] = 400.0, 300.0
    readings = replace(first_readings(star(n_sites=1, per_site=1, tunnels=1)), queued_gbit=queued)
    rule.history.push(readings)
    now, later = rule._load(readings)  # the rate of 400 Gbit due in 200 s; what is left in 10 s
    assert now[0, 0, 0] == pytest.approx(2.0)
    assert later[0, 0, 0] == pytest.approx(68.0)


def test_work_that_blocks_gpus_is_worth_what_they_cost_meanwhile():
    scenario = star(n_sites=2, per_site=2, tunnels=1, groups=1)
    network = scenario.network
    rules = [
        make_rule(NAME, replace(network, groups=groups), no_history(4), {})
        for groups in (network.groups, replace(network.groups, member=np.full(4, -1)))
    ]
    blocking, idle = (rule.pairs.value[0].max() for rule in rules)
    usd_per_s = 8.0 * 2.5 / 3600.0
    width = network.links.capacity_gbps[network.tunnels.hops[0, 0]].min()
    assert blocking - idle == pytest.approx(usd_per_s / width)


def first_readings(scenario):
    """What is known before the first interval of a quiet episode."""
    simulator, episodes = Simulator(scenario), Episodes([random_world(scenario, 0)])
    return simulator.first_readings(simulator.start(1), episodes)


def steps(scenario, rule, worlds, count):
    """Decided rates and readings of the first intervals."""
    simulator, episodes = Simulator(scenario, compiled=False), Episodes(worlds)
    state = simulator.start(len(worlds))
    readings = simulator.first_readings(state, episodes)
    rule.reset(len(worlds))
    for _ in range(count):
        rates = rule.decide(readings)
        yield rates, readings
        step = simulator.step(state, rates, episodes)
        state, readings = step.state, step.readings


@pytest.fixture(scope="module")
def logged():
    """A star with a record long enough to learn an outlook from."""
    scenario = star(n_sites=4, intervals=60)
    worlds = [random_world(scenario, seed, mean_gbps=2.0) for seed in range(4)]
    return scenario, worlds, measured(worlds, 10.0)


def test_a_batch_gets_the_decisions_of_each_episode_alone(logged):
    scenario, worlds, history = logged
    together = make_rule(NAME, scenario.network, history, {})
    alone = make_rule(NAME, scenario.network, history, {})
    pairs = zip(
        steps(scenario, together, worlds[:3], 6),
        steps(scenario, alone, worlds[1:2], 6),
        strict=True,
    )
    for (many, _), (one, _) in pairs:
        np.testing.assert_allclose(many[:, :, 1], one[:, :, 0], atol=1e-5)


@pytest.mark.parametrize("has_record", [True, False])
def test_it_uses_the_links_and_never_more(logged, has_record):
    scenario, worlds, history = logged
    record = history if has_record else no_history(scenario.network.n_demands)
    rule = make_rule(NAME, scenario.network, record, {})
    core = ~scenario.network.links.is_work_conserving
    for rates, readings in steps(scenario, rule, worlds, 5):
        assert 0 == violations(scenario.network, rates, readings.capacity_gbps).sum()
    load = rule.decoder.paths.total(rates.reshape(-1, len(worlds)))[core]
    assert (load.sum(0) > 0.8 * readings.capacity_gbps[core].sum(0)).all()


def test_a_tunnel_that_pads_the_table_carries_nothing(logged):
    scenario, worlds, history = logged
    network = scenario.network
    exists, hops = network.tunnels.exists.copy(), network.tunnels.hops.copy()
    exists[::2, 1], hops[::2, 1] = False, network.n_links
    padded = replace(network, tunnels=replace(network.tunnels, exists=exists, hops=hops))
    rule = make_rule(NAME, padded, history, {})
    for rates, _ in steps(replace(scenario, network=padded), rule, worlds[:1], 3):
        assert 0 == rates[::2, 1].sum()
        assert (rates[::2, 0].sum(0) > 0).all()


def bursts(scenario, seed):
    """One demand that is silent or loud for a minute at a time."""
    rng = np.random.default_rng(seed)
    timing = scenario.timing
    loud = np.repeat(rng.random(timing.intervals // 6 + 1) < 0.5, 6)[: timing.intervals]
    load = np.where(loud, 8.0, 1.0)[:, None, None] * rng.uniform(0.9, 1.1, (1, timing.substeps, 1))
    capacity = np.repeat(scenario.network.links.capacity_gbps[None], timing.intervals, 0)
    return World("train", seed, 0.0, load.astype(np.float32), None, capacity.astype(np.float32))


def test_the_outlook_is_the_load_that_followed_moments_like_this_one():
    scenario = star(n_sites=1, per_site=1, tunnels=1, intervals=300)
    history = measured([bursts(scenario, seed) for seed in range(12)], 10.0)
    outlook = learn_outlook(history, 10.0, np.ones(1), slow=0.1)
    quiet = first_readings(scenario)
    expected = {}
    for now in (1.0, 8.0):
        window = Window(MEMORY)
        for step in range(MEMORY):
            load = np.full((1, 1), 1.0 if step % 12 < 6 else 8.0, np.float32)
            window.push(replace(quiet, offered_gbps=load))
        load = np.full((1, 1), now, np.float32)
        readings = replace(quiet, offered_gbps=load, recent_gbps=load)
        window.push(readings)
        expected[now] = outlook.scenarios(window, readings)[:, 0, 0].mean()
    # A burst of six intervals is over with the next one in a twelfth of the cases.
    assert expected[1.0] == pytest.approx(1 + 7 / 12, abs=0.5)
    assert expected[8.0] == pytest.approx(8 - 7 / 12, rel=0.2)


def test_the_outlook_has_the_quantiles_of_a_load_without_memory(logged):
    scenario, _, history = logged
    outlook = learn_outlook(history, 10.0, np.ones(scenario.network.n_demands), slow=0.1)
    spread = np.quantile(outlook.ratio.mean(1), [0.5, 0.9], axis=1).mean(1)
    load = history.log.load_gbps.astype(float) / history.mean_gbps
    np.testing.assert_allclose(spread, np.quantile(load, [0.5, 0.9]), rtol=0.3)


def test_a_demand_that_the_record_never_saw_is_given_its_recent_loads(logged):
    scenario, worlds, _ = logged
    silent = [replace(world, arrivals_gbit=world.arrivals_gbit.copy()) for world in worlds]
    for world in silent:
        world.arrivals_gbit[:, :, 0] = 0.0
    history = measured(silent, 10.0)
    outlook = learn_outlook(history, 10.0, np.ones(scenario.network.n_demands), slow=0.1)
    quiet = first_readings(scenario)
    window = Window(MEMORY)
    window.push(replace(quiet, offered_gbps=quiet.offered_gbps + np.float32(3.0)))
    np.testing.assert_allclose(outlook.scenarios(window, quiet)[:, 0, 0], 3.0)
