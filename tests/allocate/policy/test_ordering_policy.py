"""Policies that order: the network over spans, and the gate behind it."""

import numpy as np
import pytest
from ordering import ports
from policies import random_weights

from bwalloc.allocate import make_rule
from bwalloc.allocate.policy.corrected import CorrectedForecast
from bwalloc.allocate.policy.correction import Correction
from bwalloc.allocate.policy.decision import decided, input_names, output_names
from bwalloc.allocate.policy.learned import Learned, Noting, Policy
from bwalloc.allocate.policy.neural import Architecture, Graph, act_spans, embed, layer_shapes
from bwalloc.arrays import Incidence
from bwalloc.observe import measured, usual_day
from bwalloc.scenario import draw_world, load_scenario, train_worlds
from bwalloc.sim import Episodes, Simulator
from bwalloc.sim.play import play

SEEING = Architecture(hidden=8, rounds=2, spans=True)


def policy_of(scenario, architecture=SEEING, seed=0, silent=False):
    weights = random_weights(architecture, seed)
    for name in weights:
        if silent and name.split(".")[1] == "out":
            weights[name] = weights[name] * 0
    return Policy(architecture, weights, scenario.tuned)


@pytest.fixture(scope="module")
def scenario(tmp_path_factory):
    return ports(tmp_path_factory.mktemp("ports"), {"time.intervals": 120})


@pytest.mark.parametrize("spans", [True, False])
def test_a_policy_whose_last_layers_are_zero_is_forecast_with_two_bar(scenario, spans):
    policy = policy_of(scenario, Architecture(8, 1, spans=spans), silent=True)
    rule = Learned(scenario.network, policy, usual_day(scenario))
    history = measured(train_worlds(scenario), scenario.timing.interval_s)
    forecast = make_rule("forecast", scenario.network, history, scenario.tuned)
    worlds = [draw_world(scenario, "train", seed) for seed in range(2)]
    mine, own = (play(scenario, each, worlds) for each in (rule, forecast))

    np.testing.assert_array_equal(own.orders, mine.orders)
    assert own.orders.sum() > 0
    for name, usd in own.terms.items():
        np.testing.assert_array_equal(usd, mine.terms[name])


def test_weights_of_spans_move_orders_and_nothing_else_does(scenario):
    worlds = [draw_world(scenario, "train", 0)]
    played = []
    for bias in (-3.0, 3.0):
        policy = policy_of(scenario, silent=True)
        policy.weights["span.out.bias"][:] = bias
        played.append(play(scenario, Learned(scenario.network, policy), worlds))

    assert played[0].bill_usd.sum() < played[1].bill_usd.sum()


def test_the_answer_about_a_span_depends_on_the_demands_that_cross_it_and_on_other_spans(scenario):
    """Messages travel from demands over tunnels and links to spans, and between spans."""
    policy, graph = policy_of(scenario), Graph.of(scenario.network)
    rule = Noting(scenario.network, policy, usual_day(scenario))
    play(scenario, rule, [draw_world(scenario, "train", 0)])
    given = {name: rule.noted[50][name] for name in input_names(spans=True)}

    def answer(**changes):
        embedding = embed(policy.weights, {**given, **changes}, graph, policy.architecture)
        return act_spans(policy.weights, embedding)

    moved = {name: given[name].copy() for name in ("demands", "spans")}
    moved["demands"][0, 0] += 1.0
    moved["spans"][1, 0] += 1.0
    before = answer()
    assert (2, 2, 1) == before.shape
    demand, span = (np.abs(answer(**{name: moved[name]}) - before) for name in moved)
    assert demand[0].min() > 0
    assert span[0].max() > 0
    assert span[1].max() > 0


def test_a_network_that_sells_nothing_is_played_too():
    scenario = load_scenario("tiny-edge", {"time.intervals": 40})
    played = play(
        scenario, Learned(scenario.network, policy_of(scenario)), [draw_world(scenario, "train", 0)]
    )

    assert (0, 1) == played.orders.shape
    assert np.isfinite(played.net_usd).all()


def test_inputs_alone_give_the_decision_of_the_rule(scenario):
    policy = policy_of(scenario)
    rule = Noting(scenario.network, policy, usual_day(scenario))
    play(scenario, rule, [draw_world(scenario, "train", 0)])
    given = rule.noted[-1]
    paths = Incidence(given["hops"], scenario.network.n_links)
    ordered = Incidence(given["span_of_link"], given["spans"].shape[1])
    outputs = decided(
        policy.weights, SEEING, Correction(scenario.tuned.get("action", {})), given, paths, ordered
    )
    found = dict(zip(output_names(spans=True), outputs, strict=True))

    assert set(input_names(spans=True)) == set(given)
    np.testing.assert_allclose(found["span_action"], rule.about_spans, atol=1e-6)
    np.testing.assert_allclose(found["rates_gbps"], rule.rates_gbps, atol=1e-5)


def test_layers_without_spans_are_what_they_were():
    plain, seeing = (layer_shapes(Architecture(8, 1, spans=spans)) for spans in (False, True))

    assert {"demand.in", "tunnel.in", "link.in", "link.0", "tunnel.0", "demand.0"} | {
        "demand.out",
        "tunnel.out",
    } == set(plain)
    assert {"span.in", "span.0", "span.out"} == set(seeing) - set(plain)
    assert (8, 16) == plain["link.0"]


def test_without_a_record_every_hour_is_taken_to_be_alike(scenario):
    """The last load is expected to go on, not a quarter of it."""
    corrected = CorrectedForecast(scenario.network, scenario.tuned, compiled=None, spans=True)
    simulator, episodes = Simulator(scenario), Episodes([draw_world(scenario, "train", 0)])
    state = simulator.start(1)
    corrected.start(simulator.first_readings(state, episodes))
    step = simulator.step(state, state.rates_gbps + 1.0, episodes)
    corrected.push(step.readings)
    rows = scenario.network.demands.rows_of("kv_transfer")
    gated = corrected.gated
    gated.law.expected.recent = corrected.ordered.recent
    load = gated.law.expected.load_gbps(step.readings)

    np.testing.assert_allclose(load[rows], step.readings.offered_gbps[rows], rtol=1e-4)
