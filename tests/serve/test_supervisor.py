"""The supervisor: what operators and bundles do to decisions, also while one is being made."""

from __future__ import annotations

import gc
import json
import threading
import time
from dataclasses import asdict, replace

import numpy as np
import pytest
from supervising import Gate, HandClock, Loop, agent, as_before, behave, bound, broken, words
from wide import START, measured, wide

from bwalloc.allocate.limits import Limits
from bwalloc.control import Decision, from_json, to_json
from bwalloc.errors import BundleError, LimitsError, TopologyError, UnknownNameError
from bwalloc.network import Tunnels
from bwalloc.serve import ReplayClock
from bwalloc.serve.supervisor import MOST_STUCK

NETWORK = wide(24, 10)


def loop(limits=None, network=NETWORK, **options):
    return Loop(bound(network, limits, **options))


def in_thread(job):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(job()))
    thread.start()
    return thread, answers


def test_a_decision_is_a_record_that_travels():
    decision = loop().turn()
    again = from_json(Decision, to_json(decision))

    assert decision.source == "policy"
    assert NETWORK.demands.name == again.demands
    np.testing.assert_allclose(decision.rates_gbps, again.rates_gbps)
    assert (again.valid_until - START).total_seconds() == 2 * NETWORK.interval_s


def test_the_same_telemetry_is_given_the_same_decision():
    mine = loop()
    first = mine.turn()
    again, later = mine.supervisor.decide(mine.telemetry()), mine.turn()

    assert first is again
    assert first.id != later.id
    assert 2 == sum(mine.supervisor.status().ladder.decisions.values())


def test_asking_twice_changes_nothing_for_what_comes_after():
    once, twice = loop(), loop()
    for _ in range(4):
        first, second = once.turn(), twice.turn()
        twice.supervisor.decide(twice.telemetry())
        np.testing.assert_array_equal(first.rates_gbps, second.rates_gbps)


def test_the_same_interval_with_a_link_gone_is_decided_again():
    mine = loop()
    first = mine.turn()
    capacity = NETWORK.links.capacity_gbps.copy()
    capacity[0] = 0.0
    again = mine.supervisor.decide(mine.telemetry(capacity_gbps=capacity))

    assert first.id != again.id
    assert 0 == broken(NETWORK, again, capacity)


def test_a_reset_forgets_history():
    mine, fresh = loop(), loop()
    mine.turns(5)
    mine.supervisor.reset()
    fresh.interval, fresh.clock.day = mine.interval, mine.clock.day

    np.testing.assert_array_equal(fresh.turn().rates_gbps, mine.turn().rates_gbps)


def test_kill_leaves_the_static_table_and_revive_ends_it():
    mine = loop()
    mine.turn()
    mine.supervisor.kill("smoke in the room")
    killed = mine.turn()
    mine.supervisor.revive()

    assert ("static", "kill-switch: smoke in the room") == (killed.source, killed.reasons[0])
    assert "policy" == mine.turn().source


def test_what_comes_while_killed_is_history_afterwards():
    mine, other = loop(), loop()
    mine.turns(2), other.turns(2)
    other.supervisor.kill("")
    mine.turns(3), other.turns(3)
    other.supervisor.revive()
    for supervisor in (mine.supervisor, other.supervisor):
        supervisor._core.binding.rates_gbps = np.zeros_like(supervisor._core.binding.rates_gbps)

    np.testing.assert_array_equal(mine.turn().rates_gbps, other.turn().rates_gbps)


def test_kill_holds_for_the_decision_that_is_being_made():
    mine = loop(Limits(decide_within_s=10.0))
    mine.turn()
    gate = Gate(as_before(mine.supervisor))
    behave(mine.supervisor, gate)
    thread, answers = in_thread(mine.turn)
    assert gate.asked.wait(10)
    mine.supervisor.kill("now")
    gate.open.set()
    thread.join(10)

    assert "static" == answers[0].source
    assert "kill-switch" in words(answers[0])


def test_a_swap_holds_from_the_next_decision_and_loses_none():
    mine = loop(Limits(decide_within_s=10.0))
    mine.turn()
    gate = Gate(as_before(mine.supervisor))
    behave(mine.supervisor, gate)
    thread, answers = in_thread(mine.turn)
    assert gate.asked.wait(10)
    other = replace(agent(), manifest=agent().manifest.model_copy(update={"name": "other"}))
    swapping, number = in_thread(lambda: mine.supervisor.swap(other))
    time.sleep(0.05)
    gate.open.set()
    thread.join(10), swapping.join(10)
    after = mine.turn()

    assert ("policy", "policy") == (answers[0].source, after.source)
    assert [2] == number
    recent = mine.supervisor.status().recent
    assert [1, 1, 2] == [decision.deployment for decision in recent]
    assert "other" == mine.supervisor.status().deployment.name


def test_history_goes_on_over_a_swap_and_back():
    mine, other = loop(), loop()
    for turn in range(6):
        expected = mine.turn()
        if turn in (2, 3):
            other.supervisor.swap(agent())
        if turn == 4:
            other.supervisor.rollback()
        np.testing.assert_array_equal(expected.rates_gbps, other.turn().rates_gbps)


def test_history_outlives_a_swap_that_is_rolled_back_at_once():
    mine, other = loop(), loop()
    mine.turns(4), other.turns(4)
    other.supervisor.swap(agent())
    for _ in range(3):
        other.supervisor.rollback()

    np.testing.assert_array_equal(mine.turn().rates_gbps, other.turn().rates_gbps)


def test_numbers_of_deployments_only_count_up():
    supervisor = loop().supervisor

    assert [2, 3, 4] == [supervisor.swap(agent()), supervisor.rollback(), supervisor.rollback()]
    assert 4 == supervisor.status().deployment.deployment
    assert 3 == supervisor.status().previous.deployment


def test_threads_of_bundles_that_were_swapped_out_end():
    mine = loop()
    mine.turn()
    before = threading.active_count()
    for _ in range(10):
        mine.supervisor.swap(agent())
        assert "policy" == mine.turn().source
        mine.supervisor.rollback()
        assert "policy" == mine.turn().source
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)

    assert threading.active_count() <= before


def test_no_thread_is_left_of_a_supervisor_that_nobody_holds():
    before = set(threading.enumerate())
    mine = loop()
    mine.supervisor.shadow(agent())
    mine.turns(2)
    threads = set(threading.enumerate()) - before
    del mine
    deadline = time.monotonic() + 10
    while any(thread.is_alive() for thread in threads) and time.monotonic() < deadline:
        gc.collect()  # a shadow may have been at work
        time.sleep(0.01)

    assert len(threads) >= 2
    assert [] == [thread.name for thread in threads if thread.is_alive()]


def test_there_is_nothing_to_roll_back_to_at_first():
    with pytest.raises(BundleError, match="no earlier bundle"):
        loop().supervisor.rollback()


def test_a_bundle_that_cannot_run_does_not_take_over():
    mine = loop(runtime="onnx")
    mine.turn()
    cut = replace(agent(), parts={**agent().parts, "policy.onnx": b"no graph"})
    with pytest.raises(BundleError, match=r"policy\.onnx"):
        mine.supervisor.swap(cut)

    assert "policy" == mine.turn().source
    assert 1 == mine.supervisor.status().deployment.deployment


def test_policies_that_hang_hold_one_thread_each_and_are_not_piled_up():
    mine = loop(Limits(decide_within_s=0.02))
    gates = []
    for _ in range(MOST_STUCK):
        gates.append(Gate(as_before(mine.supervisor)))
        behave(mine.supervisor, gates[-1])
        before = threading.active_count()
        assert ["policy-late"] + ["policy-busy"] * 3 == [words(d)[0] for d in mine.turns(4)]
        assert threading.active_count() <= before + 1
        assert 1 == gates[-1].calls
        mine.supervisor.swap(agent())
    behave(mine.supervisor, Gate(as_before(mine.supervisor)))
    with pytest.raises(BundleError, match="still hang in their threads"):
        mine.supervisor.swap(agent())
    for gate in gates:
        gate.open.set()


def test_a_late_answer_is_dropped_and_the_policy_is_asked_again():
    mine = loop(Limits(decide_within_s=0.05))
    gate = Gate(as_before(mine.supervisor))
    behave(mine.supervisor, gate)
    late = mine.turn()
    gate.open.set()
    time.sleep(0.1)
    after = mine.turn()

    assert ("max-min", "policy") == (late.source, after.source)
    assert 2 == gate.calls


def test_an_override_beats_the_policy_and_leaves_the_rest_to_it():
    mine = loop()
    mine.turn()
    rows = np.array(NETWORK.demands.tenant) == "tenant-2"
    mine.supervisor.override("tenant-2", 1.5, reason="case 7")
    overridden = mine.turn()
    shown = mine.supervisor.status().overrides

    assert 1.5 == pytest.approx(overridden.rates_gbps[rows].sum(), rel=1e-3)
    assert overridden.rates_gbps[~rows].sum() > 1
    assert ("policy", True) == (overridden.source, "override" in words(overridden))
    assert [("tenant-2", 1.5, "case 7")] == [(o.tenant, o.gbps, o.reason) for o in shown]

    mine.supervisor.release("tenant-2")
    assert "override" not in words(mine.turn())


def test_an_override_may_name_demands_or_take_the_static_table_and_may_end_by_itself():
    mine = loop()
    name = NETWORK.demands.name[1]
    mine.supervisor.override("tenant-1", {name: 0.25}, for_s=15.0)
    rows = np.array(NETWORK.demands.tenant) == "tenant-1"
    first = mine.turn().rates_gbps
    mine.turn()

    assert 0.25 == pytest.approx(first[1].sum(), rel=1e-3)
    assert 0.25 == pytest.approx(first[rows].sum(), rel=1e-3)
    assert () == mine.supervisor.status().overrides

    mine.supervisor.override("tenant-1")
    static = mine.supervisor._core.binding.static_totals[rows]
    np.testing.assert_allclose(static, mine.turn().rates_gbps[rows].sum(1), rtol=1e-2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("tenant-9", 1.0), "No tenant 'tenant-9'.*Nearest"),
        (("tenant-1", -1.0), "must be 0 to"),
        (("tenant-1", float("nan")), "must be 0 to"),
        (("tenant-1", 1e39), "must be 0 to"),
        (("tenant-1", {"demand-2": 1.0}), "Tenant 'tenant-1' has no demand 'demand-2'"),
        (("tenant-1", {"demand-1": float("inf")}), "'demand-1': got inf"),
    ],
)
def test_an_override_that_makes_no_sense_is_refused(given, message):
    with pytest.raises(LimitsError, match=message):
        loop().supervisor.override(*given)


@pytest.mark.parametrize("for_s", [0.0, float("nan"), float("inf"), 1e12])
def test_an_override_ends_within_a_year_or_by_a_word(for_s):
    with pytest.raises(LimitsError, match="for_s is"):
        loop().supervisor.override("tenant-1", 1.0, for_s=for_s)


@pytest.mark.parametrize("gbps", [1e9, {"demand-1": 1e9, "demand-5": 1e9}, np.float32(1e9)])
def test_an_override_beyond_all_links_gets_what_they_carry(tmp_path, gbps):
    mine = loop(audit=tmp_path / "a")
    mine.turn()
    mine.supervisor.override("tenant-1", gbps)
    decision = mine.turn()
    rows = np.array(NETWORK.demands.tenant) == "tenant-1"

    assert "policy" == decision.source
    assert decision.rates_gbps[rows].sum() > 10
    assert 0 == broken(NETWORK, decision, NETWORK.links.capacity_gbps)
    assert mine.supervisor.status().overrides[0].gbps >= 1e9


def test_an_override_that_is_not_there_cannot_be_released():
    with pytest.raises(LimitsError, match="No override of tenant 'tenant-1'"):
        loop().supervisor.release("tenant-1")


def shrunk(network, demands, links=None):
    """A network without the demands and links that are not named, in another order."""
    rows = np.array(demands)
    kept = np.arange(network.n_links) if links is None else np.array(links)
    place = np.full(network.n_links + 1, len(kept))
    place[kept] = np.arange(len(kept))

    def pick(value):
        if isinstance(value, tuple):
            return tuple(value[row] for row in rows)
        return value[rows] if isinstance(value, np.ndarray) and len(value) else value

    def link(value):
        if isinstance(value, tuple):
            return tuple(value[row] for row in kept)
        return value[kept]

    hops, exists = place[network.tunnels.hops[rows]], network.tunnels.exists[rows].copy()
    gone = (network.tunnels.hops[rows] < network.n_links) & (hops == len(kept))
    exists &= ~gone.any(2)
    hops[~exists] = len(kept)
    fields = {name: pick(getattr(network.demands, name)) for name in network.demands.__slots__}
    links_of = {name: link(getattr(network.links, name)) for name in network.links.__slots__}
    law = {
        name: value if isinstance(value, float) else value[rows]
        for name, value in ((n, getattr(network.law, n)) for n in network.law.__slots__)
    }
    return replace(
        network,
        topology=replace(network.topology, links=replace(network.links, **links_of)),
        demands=replace(network.demands, **fields),
        tunnels=Tunnels(hops, exists, exists * 2.0, exists * 0.0),
        law=replace(network.law, **law),
        groups=replace(network.groups, member=network.groups.member[rows]),
    )


def test_a_changed_topology_is_bound_without_loading_and_history_goes_on_by_name():
    mine = loop()
    mine.turns(6)
    order = [*range(23, 3, -1), 2]
    smaller = shrunk(NETWORK, order)
    session = mine.supervisor._core.active.session.corrected
    before, window = session.memory.means[:, order], session.window.offered_gbps[:, order]
    rates = mine.supervisor._core.binding.rates_gbps[order]
    mine.supervisor.rebind(smaller)
    np.testing.assert_array_equal(rates, mine.supervisor._core.binding.rates_gbps)
    mine.interval += 1
    mine.clock.go(10.0)
    decision = mine.supervisor.decide(mine.telemetry())
    after = mine.supervisor._core.active.session.corrected

    assert ("policy", smaller.demands.name) == (decision.source, decision.demands)
    assert {"demand-unknown"} == set(words(decision))
    assert 0 == broken(smaller, decision, smaller.links.capacity_gbps)
    offered, keep = after.readings.offered_gbps, 1 - 1 / 90
    np.testing.assert_allclose(
        keep * before[-1] + (1 - keep) * offered, after.memory.means[-1], rtol=1e-5
    )
    assert 1 == (window != after.window.offered_gbps).all((1, 2)).sum()


def test_a_demand_that_is_new_begins_with_its_first_reading_and_not_with_0():
    mine = loop(network=shrunk(NETWORK, range(20)))
    mine.turns(6)
    mine.supervisor.rebind(NETWORK)
    mine.network = NETWORK
    mine.turn()
    session = mine.supervisor._core.active.session.corrected
    offered = session.readings.offered_gbps[20:]
    weight = session.observer.weight(session.memory.seen, 1 - 1 / 90)

    np.testing.assert_allclose(offered, session.memory.means[-1][20:] / weight, rtol=1e-5)
    np.testing.assert_array_equal(
        np.broadcast_to(offered, (30, 4, 1)), session.window.offered_gbps[:, 20:]
    )


def test_a_link_that_is_gone_carries_nothing_more():
    mine = loop()
    mine.turns(3)
    smaller = shrunk(NETWORK, range(24), links=[*range(5), *range(6, 10)])
    has_tunnel = np.flatnonzero(smaller.tunnels.exists.any(1))
    with pytest.raises(TopologyError, match="has no tunnel"):
        mine.supervisor.rebind(smaller)
    smaller = shrunk(NETWORK, has_tunnel, links=[*range(5), *range(6, 10)])
    mine.supervisor.rebind(smaller)
    mine.network = smaller
    decision = mine.turn()

    assert "policy" == decision.source
    assert 0 == broken(smaller, decision, smaller.links.capacity_gbps)
    assert smaller.links.name == tuple(link.name for link in mine.supervisor.status().links)


def rebuilt(network, **changes):
    links = replace(network.links, **changes)
    return replace(network, topology=replace(network.topology, links=links))


def test_demands_on_other_links_have_the_static_table_until_telemetry_comes():
    mine = loop()
    mine.turns(3)
    network = rebuilt(NETWORK, name=tuple(f"new-{name}" for name in NETWORK.links.name))
    mine.supervisor.rebind(network)
    decision = mine.turn(lambda record: None)

    assert "last-known-good" == decision.source
    np.testing.assert_allclose(
        decision.rates_gbps, mine.supervisor._core.binding.static_gbps, rtol=1e-5
    )


@pytest.mark.parametrize("factor", [0.01, 10.0])
def test_a_link_that_was_rebuilt_carries_the_less_of_old_and_new_until_telemetry_comes(factor):
    mine = loop()
    mine.turns(3)
    capacity = NETWORK.links.capacity_gbps
    mine.supervisor.rebind(rebuilt(NETWORK, capacity_gbps=factor * capacity))
    decision = mine.turn(lambda record: None)

    assert "last-known-good" == decision.source
    assert 0 == broken(NETWORK, decision, capacity * min(factor, 1.0))


def test_another_interval_begins_history_anew():
    mine = loop()
    mine.turns(4)
    mine.supervisor.rebind(replace(NETWORK, interval_s=30.0))
    seen = mine.supervisor._core.active.session._has_begun

    assert not seen


def test_limits_of_demands_that_are_gone_lie_idle():
    mine = loop(Limits(floors_gbps={"demand-0": 1.0, "demand-5": 1.0}))
    mine.supervisor.rebind(shrunk(NETWORK, range(4, 24)))
    mine.network = mine.supervisor.network

    assert "policy" == mine.turn().source
    assert mine.turn().rates_gbps[1].sum() >= 1.0 - 1e-3


def test_a_shadow_decides_beside_and_changes_nothing():
    mine, other = loop(), loop()
    other.supervisor.shadow(agent())
    for _ in range(5):
        np.testing.assert_array_equal(mine.turn().rates_gbps, other.turn().rates_gbps)
        deadline = time.monotonic() + 5
        while other.supervisor._core.shadow.deployment.worker.is_busy:
            assert time.monotonic() < deadline
            time.sleep(0.001)
    shadow = other.supervisor.status().shadow

    assert (5, 0, 0) == (shadow.decisions, shadow.faults, shadow.skipped)
    assert 0.0 == shadow.mean_difference_share
    other.supervisor.shadow(None)
    assert other.supervisor.status().shadow is None


def test_a_shadow_that_hangs_or_fails_delays_nobody():
    mine = loop()
    mine.supervisor.shadow(agent())
    core = mine.supervisor._core
    gate = Gate(lambda given: 1 / 0)

    class Runtime:
        name = "test"

        def __call__(self, given):
            return gate(given)

    core.shadow.deployment = replace(core.shadow.deployment, runtime=Runtime())
    begun = time.perf_counter()
    assert {"policy"} == {decision.source for decision in mine.turns(4)}
    assert time.perf_counter() - begun < 5
    gate.open.set()
    deadline = time.monotonic() + 5
    while core.shadow.deployment.worker.is_busy and time.monotonic() < deadline:
        time.sleep(0.001)
    shadow = mine.supervisor.status().shadow

    assert (0, 1, 3) == (shadow.decisions, shadow.faults, shadow.skipped)


def test_after_close_the_static_table_stands():
    mine = loop()
    mine.turn()
    mine.supervisor.close()
    mine.supervisor.close()
    decision = mine.turn()

    assert ("static", ["closed"]) == (decision.source, words(decision))
    assert not mine.supervisor.status().is_ready


def test_status_is_json_without_nan_and_without_a_demand():
    mine = loop(Limits(max_usd_per_h=1e4))
    mine.turns(3)
    mine.turn(lambda record: None)
    mine.supervisor.override("tenant-1", 2.0)
    text = json.dumps(asdict(mine.supervisor.status()), default=str, allow_nan=False)
    said = json.loads(text)

    assert "demand-" not in text
    assert ("last-known-good", True) == (said["ladder"]["source"], said["ladder"]["is_fallback"])
    assert {"before": "policy", "after": "last-known-good", "count": 1} in said["ladder"][
        "transitions"
    ]
    assert 4 == said["times"]["count"]
    assert 10 == len(said["links"])
    assert all(link["utilisation"] <= 1 + 1e-5 for link in said["links"])


def test_status_does_not_wait_for_a_decision():
    mine = loop(Limits(decide_within_s=10.0))
    gate = Gate(as_before(mine.supervisor))
    behave(mine.supervisor, gate)
    thread, answers = in_thread(mine.turn)
    assert gate.asked.wait(10)
    begun = time.perf_counter()
    said = mine.supervisor.status()
    taken = time.perf_counter() - begun
    gate.open.set()
    thread.join(10)

    assert (None, "policy") == (said.ladder.source, answers[0].source)
    assert taken < 1


def test_readiness_follows_telemetry():
    mine = loop()
    assert mine.supervisor.status().is_ready
    mine.turn()
    assert mine.supervisor.status().is_ready
    mine.clock.go(25.0)
    assert not mine.supervisor.status().is_ready
    assert 25.0 == mine.supervisor.status().telemetry_age_s


def test_many_threads_decide_swap_and_ask_at_once():
    network = wide(30, 10)
    supervisor = bound(network, clock=ReplayClock())
    faults, versions, stop = [], {}, threading.Event()

    def client(number):
        seen = 0
        interval = number * 1000
        while not stop.is_set():
            interval += 1
            try:
                record = measured(network, interval, seed=number)
                decision = supervisor.decide(record)
                deployment = supervisor.status().deployment.deployment
                if broken(network, decision, record.links.capacity_gbps) or deployment < seen:
                    faults.append((decision.reasons, deployment, seen))
                seen = deployment
            except Exception as error:
                faults.append(error)
        versions[number] = seen

    threads = [threading.Thread(target=client, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for count in range(6):
        assert count + 2 == supervisor.swap(agent())
        supervisor.override("tenant-0", 1.0)
        supervisor.rebind(network)
        supervisor.release("tenant-0")
        supervisor.kill("x")
        supervisor.revive()
    stop.set()
    for thread in threads:
        thread.join(20)

    assert [] == faults
    assert supervisor.status().times.count > 20


def test_orders_that_do_not_wait_cannot_be_approved():
    for change in (loop().supervisor.approve, loop().supervisor.reject):
        with pytest.raises(UnknownNameError, match="No waiting order called 'x'"):
            change("x")


def test_limits_are_checked_when_a_bundle_is_bound():
    with pytest.raises(LimitsError, match="no demand 'nobody'"):
        bound(NETWORK, Limits(floors_gbps={"nobody": 1.0}))


def test_a_hand_clock_is_enough_of_a_clock():
    assert HandClock().monotonic() == 1000.0
