"""Orders of a served policy: by the same features and the same gate as in the environment."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from ordering import ports
from policies import MADE, random_weights

from bwalloc.allocate.limits import Limits
from bwalloc.allocate.policy.decision import inputs_of
from bwalloc.allocate.policy.learned import Learned, Noting, Policy, corrected_of
from bwalloc.allocate.policy.neural import Architecture
from bwalloc.allocate.session import named_orders
from bwalloc.control import SpanTelemetry
from bwalloc.gym.engine import Engine
from bwalloc.observe import usual_day
from bwalloc.scenario import draw_world
from bwalloc.serve import Manifest, ReplayClock, load_bundle, write_bundle
from bwalloc.serve.bundles import manifest as part
from bwalloc.serve.bundles.golden import decide_plainly, golden_bytes
from bwalloc.serve.policy.session import PolicySession
from bwalloc.sim import Episodes, Simulator, telemetry_of
from bwalloc.sim.play import play
from bwalloc.tensors import tensors_to_bytes

SEEING = Architecture(hidden=8, rounds=1, spans=True)
WORKS = {"failures.maintenance.per_week": 300.0, "time.intervals": 150}


@pytest.fixture(scope="module")
def scenario(tmp_path_factory):
    return ports(tmp_path_factory.mktemp("ports"), WORKS, offers="rejection = 0.1")


@pytest.fixture(scope="module")
def policy(scenario):
    weights = random_weights(SEEING, 0)
    return Policy(SEEING, weights, scenario.tuned)


def world_of(scenario, seed=3):
    """It begins shortly after midnight, so that works of the night fall into it."""
    return draw_world(scenario, "train", seed, start_h=0.3)


@pytest.fixture(scope="module")
def bundle(scenario, policy, tmp_path_factory):
    pytest.importorskip("onnxscript")
    from bwalloc.learn.export.onnx import onnx_of

    rule = Noting(scenario.network, policy, usual_day(scenario))
    play(scenario, rule, [world_of(scenario)])
    given = [one | decide_plainly(policy, one) for one in rule.noted[::40]]
    parts = {
        part.ONNX: onnx_of(policy, given[0]),
        part.WEIGHTS: tensors_to_bytes(policy.weights),
        part.GOLDEN: golden_bytes(given),
        part.ARCHITECTURE: str(asdict(SEEING)).replace("'", '"').replace("True", "true").encode(),
        part.RECIPE: b"",
        part.CARD: b"",
    }
    manifest = Manifest(
        schema=1, name="orders", environment=scenario.id, digest=scenario.digest,
        features=part.feature_hash(spans=True), tuned=scenario.tuned, training=MADE,
        files={name: part.entry_of(data) for name, data in parts.items()}, **asdict(SEEING),
    )  # fmt: skip
    path = tmp_path_factory.mktemp("agents") / "orders"
    write_bundle(path, manifest, parts)
    return load_bundle(path)


def test_features_of_a_replay_with_orders_are_those_of_the_environment_to_the_last_bit(
    scenario, policy, bundle
):
    engine, world = Engine(scenario, 1), world_of(scenario)
    engine.restart(np.zeros(1, np.int64), [world])
    supervisor = bundle.bind(scenario.network, clock=ReplayClock())
    receiver = supervisor._core.binding.receiver
    session = PolicySession(scenario.network, policy, usual_day(scenario))
    rng = np.random.default_rng(0)
    seen = []
    for interval in range(scenario.timing.intervals):
        record = telemetry_of(scenario.network, engine.readings, world=world, interval=interval)
        session.push(receiver.take(record).readings)
        rates = engine.state.rates_gbps
        mine, expected = (each.features(rates) for each in (session.corrected, engine.corrected))
        assert expected.keys() == mine.keys()
        for kind, values in expected.items():
            np.testing.assert_array_equal(values, mine[kind], err_msg=f"{kind} {interval}")
        np.testing.assert_array_equal(engine.corrected.orders(), session.corrected.orders())
        seen.append(mine)
        engine.step(rng.uniform(-1, 1, (1, 20)).astype(np.float32))

    spans, links = (np.concatenate([one[kind] for one in seen], -1) for kind in ("spans", "links"))
    assert (spans[3] == 1).any()  # something was on order
    assert 0 < (links[3] > 0.9).mean() < 1  # and works came
    supervisor.close()


@pytest.mark.parametrize("runtime", ["numpy", "onnx"])
def test_a_served_policy_orders_what_it_orders_in_the_simulator(scenario, policy, bundle, runtime):
    if runtime == "onnx":
        pytest.importorskip("onnxruntime")
    network, usual, world = scenario.network, usual_day(scenario), world_of(scenario)
    rule = Learned(network, policy, usual)
    simulator, episodes = Simulator(scenario), Episodes([world])
    rule.reset(1)
    state, placed = simulator.start(1), 0
    readings = simulator.first_readings(state, episodes)
    bound = bundle.bind(network, runtime=runtime, clock=ReplayClock(), usual=usual)
    with bound as supervisor:
        for interval in range(scenario.timing.intervals):
            rates, orders = rule.decide(readings), None
            orders = rule.order(readings)
            record = telemetry_of(network, readings, world=world, interval=interval)
            decision = supervisor.decide(record)
            assert "policy" == decision.source
            assert named_orders(network, orders) == decision.orders
            placed += len(decision.orders)
            step = simulator.step(state, rates, episodes, orders)
            state, readings = step.state, step.readings

    assert placed > 2


def first_load(scenario):
    """Records of an interval without load and of one with so much that tiers must rise."""
    simulator, episodes = Simulator(scenario), Episodes([world_of(scenario)])
    state = simulator.start(1)
    readings = simulator.first_readings(state, episodes)
    for _ in range(6):
        yield telemetry_of(scenario.network, readings)
        step = simulator.step(state, state.rates_gbps + 5.0, episodes)
        state, readings = step.state, step.readings
        readings = replace(readings, offered_gbps=readings.offered_gbps * 0 + 90.0)


def decided(scenario, bundle, limits=None, change=lambda record: record):
    with bundle.bind(scenario.network, limits, clock=ReplayClock()) as supervisor:
        return [supervisor.decide(change(record)) for record in first_load(scenario)]


def test_the_caps_of_the_guard_hold_for_orders_of_a_policy(scenario, bundle):
    free = decided(scenario, bundle)
    held = decided(scenario, bundle, Limits(max_usd_per_h=1.0))

    assert any(decision.orders for decision in free)
    assert not any(decision.orders for decision in held)
    assert any("order-over-hourly-cap" in text for one in held for text in one.reasons)


def test_nothing_is_ordered_on_a_span_that_telemetry_does_not_tell_of(scenario, bundle):
    def without_spans(record):
        return replace(record, spans=SpanTelemetry())

    found = decided(scenario, bundle, change=without_spans)
    assert all("policy" == decision.source for decision in found)
    assert not any(decision.orders for decision in found)
    assert "span-missing: 2" in found[0].reasons


def test_tiers_that_are_no_numbers_are_not_believed(scenario, bundle):
    def broken(record):
        spans = record.spans
        tier = np.array(spans.tier_gbps)
        tier[0] = np.nan
        return replace(record, spans=replace(spans, tier_gbps=tier))

    found = decided(scenario, bundle, change=broken)
    names = {order.span for decision in found for order in decision.orders}
    assert "span-missing: 1" in found[0].reasons
    assert {"branch-2--hub"} == names


def test_a_policy_that_knows_no_spans_orders_as_two_bar(scenario):
    blind = Policy(Architecture(8, 1), random_weights(Architecture(8, 1), 0), scenario.tuned)
    session = PolicySession(scenario.network, blind, usual_day(scenario))
    supervisor_readings = list(first_load(scenario))
    from bwalloc.observe import read_telemetry

    orders = []
    for record in supervisor_readings:
        session.push(read_telemetry(scenario.network, record))
        orders.append(session.ordering()(None))
    assert "spans" not in inputs_of(session.corrected, np.zeros((4, 1, 1), np.float32))
    assert any(orders)


def test_history_of_orders_goes_on_where_a_session_takes_over(scenario, policy):
    usual = usual_day(scenario)
    first, second, whole = (PolicySession(scenario.network, policy, usual) for _ in range(3))
    from bwalloc.observe import read_telemetry

    records = [read_telemetry(scenario.network, record) for record in first_load(scenario)]
    for readings in records[:4]:
        first.push(readings)
    second.inherit(first, np.arange(4))
    for readings in records[4:]:
        second.push(readings)
    for readings in records:
        whole.push(readings)

    mine, other = (each.corrected.ordered for each in (second, whole))
    assert 5 == mine.interval[0]
    np.testing.assert_array_equal(mine.recent.mean(0), other.recent.mean(0))
    np.testing.assert_array_equal(mine.interval, other.interval)
    assert isinstance(corrected_of(scenario.network, policy, usual).gated.spans, tuple)
