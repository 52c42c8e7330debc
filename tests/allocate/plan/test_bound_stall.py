"""The bound and the plan know what stalled groups cost, and no allocator exceeds the bound."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from builders import failing, outage, random_world, star
from hypothesis import given, settings
from hypothesis import strategies as st
from ordering import ports
from playing import RandomRule
from training_env import TEXT, training_scenario

from bwalloc.allocate import CLASSICAL, ORDERING, make_rule
from bwalloc.allocate.plan.bound import bound_usd_per_h
from bwalloc.allocate.plan.clairvoyant import ClairvoyantRule, plan_episode
from bwalloc.money import GroupLaw
from bwalloc.observe import measured
from bwalloc.scenario import draw_world
from bwalloc.sim.play import play

USD_PER_S = 512 * 2.5 / 3600


def money(scenario, rule, world):
    """USD per hour of an episode, all decisions within the limits."""
    books = play(scenario, rule, [world])
    assert books.violations == 0
    return float(books.net_usd[0]) / scenario.timing.counted_h


def jobs(seed, n_groups, grace_s, *, policed, endless=True, gpus=512.0, sites=3, per_site=3):
    """A star whose first two demands of each site are members of groups, the third is not."""
    scenario = star(sites, per_site, policed_core=policed, intervals=12, seed=seed)
    rows = np.arange(sites * per_site)
    member = np.where(rows % per_site < 2, rows % n_groups, -1)
    if endless:
        scenario.slots.width_substeps[member >= 0] = 0
        scenario.slots.arrival_slot[member >= 0] = 0
    names = tuple(f"job-{group}" for group in range(n_groups))
    each = np.ones(n_groups)
    law = GroupLaw(names, member, gpus * each, 2.5 * each, grace_s * each)
    return replace(scenario, network=replace(scenario.network, groups=law))


def rounds(scenario, seed, every_s, gbit, capacity_share=1.0, jitter=False):
    """Members send all at once, again and again; the rest as ever."""
    rng = np.random.default_rng(seed)
    world = random_world(scenario, seed, mean_gbps=0.3)
    flat = world.arrivals_gbit.reshape(-1, scenario.network.n_demands)
    member = scenario.network.groups.member
    flat[:, member >= 0] = 0.0
    for group in range(len(scenario.network.groups.name)):
        mine = np.flatnonzero(member == group)
        for start in range(int(rng.integers(0, every_s)), len(flat), every_s):
            late = rng.integers(0, 4, len(mine)) * jitter
            at = np.minimum(start + late, len(flat) - 1)
            flat[at, mine] += rng.uniform(0.3, 1.0, len(mine)) * gbit
    world.capacity_gbps[:] *= capacity_share
    return world


def check_nobody_exceeds(scenario, world, seed):
    """Every allocator, random rates and the plan itself stay below the bound of the plan."""
    plan = plan_episode(scenario, world)
    history = measured([world], scenario.timing.interval_s)
    rules = {name: make_rule(name, scenario.network, history, {}) for name in CLASSICAL}
    rules["random"] = RandomRule(scenario.network, seed)
    rules["clairvoyant"] = ClairvoyantRule([plan])
    for name, rule in rules.items():
        assert money(scenario, rule, world) <= plan.bound_usd_per_h, name
    shape = (len(scenario.network.pools().link), 120)
    for scale in (0.0, 1e-4, 1e-2):
        drawn = np.random.default_rng(seed).uniform(0, scale, shape)
        loose = bound_usd_per_h(scenario, world, drawn)
        for rule in (rules["clairvoyant"], rules["random"], rules["strict-priority"]):
            assert money(scenario, rule, world) <= loose


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_groups=st.integers(1, 3),
    every_s=st.integers(5, 60),
    gbit=st.floats(0.01, 60),
    grace_s=st.sampled_from([0.0, 0.4, 5.0, 20.0]),
    policed=st.booleans(),
    endless=st.booleans(),
    jitter=st.booleans(),
)
def test_nobody_exceeds_the_bound_where_groups_stall(
    seed, n_groups, every_s, gbit, grace_s, policed, endless, jitter
):
    """Rounds that merge or do not, one or several jobs, members that may expire or may not."""
    scenario = jobs(seed, n_groups, grace_s, policed=policed, endless=endless)
    world = rounds(scenario, seed, every_s, gbit, jitter=jitter)
    check_nobody_exceeds(scenario, world, seed)


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    gbit=st.floats(1, 60),
    policed=st.booleans(),
    spans=st.lists(
        st.tuples(
            st.integers(0, 7), st.floats(-20, 110), st.floats(1, 60), st.sampled_from([0.0, 0.4])
        ),
        min_size=1,
        max_size=5,
    ),
)
def test_nobody_exceeds_the_bound_where_groups_stall_and_links_fail(seed, gbit, policed, spans):
    scenario = jobs(seed, 2, 2.0, policed=policed)
    events = [outage([row], start, start + long, share) for row, start, long, share in spans]
    world = failing(scenario, rounds(scenario, seed, 30, gbit), *events)
    check_nobody_exceeds(scenario, world, seed)


def test_where_training_stalls_the_plan_earns_most(tmp_path):
    scenario = training_scenario(tmp_path)
    worlds = [draw_world(scenario, "test", seed) for seed in range(2)]
    plans = [plan_episode(scenario, world) for world in worlds]
    history = measured(
        [draw_world(scenario, "train", seed) for seed in range(2)], scenario.timing.interval_s
    )
    earned = [
        money(scenario, ClairvoyantRule([plan]), world)
        for plan, world in zip(plans, worlds, strict=True)
    ]
    assert (np.array(earned) <= [plan.bound_usd_per_h for plan in plans]).all()
    for name in CLASSICAL:
        rule = make_rule(name, scenario.network, history, scenario.tuned)
        assert np.mean([money(scenario, rule, world) for world in worlds]) < np.mean(earned), name


def test_a_plan_for_stalling_groups_leaves_tunnels_that_do_not_exist_empty(tmp_path):
    """A second way between two of the sites: the others still have one tunnel."""
    span = (
        'e = { group = "leased", ends = ["gpu-1", "gpu-2"], capacity_gbps = 9.0, delay_ms = 5.0 }'
    )
    text = TEXT.replace("per_demand = 1", "per_demand = 2")
    text = text.replace("[tunnels]", f"{span}\n\n[tunnels]")
    scenario = training_scenario(tmp_path, {"time.intervals": 40}, text)
    exists = scenario.network.tunnels.exists
    rates = plan_episode(scenario, draw_world(scenario, "test", 0)).rates_gbps

    assert not exists.all()
    assert (rates[:, ~exists] == 0).all()
    assert np.isfinite(rates).all()


def bursts(scenario, *given):
    """A world of bursts (second, demand, Gbit), and nothing else."""
    world = random_world(scenario, 0)
    world.arrivals_gbit[:] = 0.0
    for second, row, gbit in given:
        world.arrivals_gbit.reshape(-1, scenario.network.n_demands)[second, row] += gbit
    return world


def lone_jobs(sites, core_gbps, grace_s=0.0):
    """One job per site behind one core link, whose work is worth nothing but the GPUs it frees."""
    scenario = jobs(0, sites, grace_s, policed=False, sites=sites, per_site=1)
    member = np.arange(sites)
    groups = replace(scenario.network.groups, member=member)
    scenario = replace(scenario, network=replace(scenario.network, groups=groups))
    scenario.slots.width_substeps[:] = scenario.slots.arrival_slot[:] = 0
    law = scenario.network.law
    law.value_usd_per_gbit[:] = law.late_usd_per_gbit_s[:] = 0.0
    law.settle_usd_per_gbit[:] = 1.0
    for hops in scenario.network.tunnels.hops[:, 1:]:
        hops[:] = scenario.network.n_links
    scenario.network.tunnels.exists[:, 1:] = False
    scenario.network.links.capacity_gbps[:] = 100.0
    scenario.network.links.capacity_gbps[sites * 2 :] = core_gbps
    return scenario


def stalled_s(scenario, usd_per_h):
    """Seconds of stall that cost as much."""
    return -usd_per_h * scenario.timing.counted_h / USD_PER_S


@pytest.mark.parametrize(("grace_s", "expected"), [(0.0, 7.5), (5.0, 2.5), (9.0, 0.0)])
def test_a_round_by_itself_stalls_as_long_as_its_link_takes(grace_s, expected):
    """60 Gbit at 8 Gbit/s take 7.5 s; no plan and no bound knows better."""
    scenario = lone_jobs(1, 8.0, grace_s)
    world = bursts(scenario, (60, 0, 60.0))
    plan = plan_episode(scenario, world)
    assert stalled_s(scenario, plan.bound_usd_per_h) == pytest.approx(expected, abs=0.02)
    earned = money(scenario, ClairvoyantRule([plan]), world)
    assert stalled_s(scenario, earned) == pytest.approx(expected, abs=0.05)


def test_of_two_rounds_on_one_link_one_waits_for_the_other():
    """40 and 40 Gbit at 8 Gbit/s: 5 and 10 s, whoever comes first; not 5 and 5, nor 10 and 10."""
    scenario = lone_jobs(2, 8.0)
    world = bursts(scenario, (60, 0, 40.0), (60, 1, 40.0))
    plan = plan_episode(scenario, world)
    assert 13.5 <= stalled_s(scenario, plan.bound_usd_per_h) <= 15.02
    earned = money(scenario, ClairvoyantRule([plan]), world)
    assert 14.98 <= stalled_s(scenario, earned) <= 16.5


def test_rounds_that_meet_are_charged_once():
    """Two rounds of 40 Gbit at 8 Gbit/s, 3 s apart: busy for 10 s; 20 s apart: twice 5 s of it."""
    scenario = lone_jobs(1, 8.0, grace_s=2.0)
    for apart_s, expected in ((3, 8.0), (20, 6.0)):
        world = bursts(scenario, (60, 0, 40.0), (60 + apart_s, 0, 40.0))
        plan = plan_episode(scenario, world)
        assert stalled_s(scenario, plan.bound_usd_per_h) == pytest.approx(expected, abs=0.02)


@settings(max_examples=6, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    delay=st.sampled_from([0.0, 300.0]),
    policed=st.booleans(),
    endless=st.booleans(),
)
def test_nobody_exceeds_the_bound_where_groups_stall_on_ports_that_are_ordered(
    tmp_path_factory, seed, delay, policed, endless
):
    overrides = {
        "time.intervals": 60,
        "time.warmup_intervals": 5,
        "offers.carrier.min_billed_s": 900,
        "offers.carrier.billed_every_s": 600,
        "network.span_groups.port.enforcement": "policed" if policed else "work_conserving",
    }
    scenario = ports(tmp_path_factory.mktemp("ports"), overrides, core=8.0, delay=delay)
    rows = scenario.network.demands.rows_of("kv_transfer")
    member = np.where(np.isin(np.arange(scenario.network.n_demands), rows), 0, -1)
    law = GroupLaw(("job",), member, np.array([64.0]), np.array([2.5]), np.array([30.0]))
    scenario = replace(scenario, network=replace(scenario.network, groups=law))
    if endless:
        scenario.slots.width_substeps[rows] = scenario.slots.arrival_slot[rows] = 0
    world = draw_world(scenario, "test", seed)
    world.arrivals_gbit[:, :, rows] = 0.0
    world.arrivals_gbit[7::9, 1, rows] = 200.0
    plan = plan_episode(scenario, world)
    history = measured([world], 60.0)
    rules = {name: make_rule(name, scenario.network, history, {}) for name in ORDERING}
    rules |= {name: make_rule(name, scenario.network, history, {}) for name in ("forecast", "mpc")}
    rules["clairvoyant"] = ClairvoyantRule([plan], scenario.network)
    for name, rule in rules.items():
        assert money(scenario, rule, world) <= plan.bound_usd_per_h, name
    for scale in (0.0, 2e-3):
        shape = (len(scenario.network.pools().link), 120)
        drawn = np.random.default_rng(seed).uniform(0, scale, shape)
        assert money(scenario, rules["clairvoyant"], world) <= bound_usd_per_h(
            scenario, world, drawn
        )
