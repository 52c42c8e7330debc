"""The agents of the catalogue."""

import pytest

from bwalloc.allocate.policy.decision import TOPOLOGY
from bwalloc.bench.tasks import Setting, rule_of, run_allocator, scenario_of
from bwalloc.scenario import load_scenario
from bwalloc.serve import agents_for, list_agents, load_bundle
from bwalloc.serve.bundles.golden import TOLERANCE, decide_plainly, difference, golden_decisions

AGENTS = list(list_agents())


def test_there_is_one_for_metro_inference():
    assert ["metro-inference"] == agents_for("bwalloc/MetroInference-v1")


@pytest.mark.parametrize("name", AGENTS)
def test_it_is_whole_and_decides_its_golden_vectors_again(name):
    manifest = load_bundle(name).manifest

    assert name == manifest.name
    assert load_scenario(manifest.environment).id == manifest.environment


@pytest.mark.parametrize("name", AGENTS)
def test_it_was_made_for_the_environment_as_it_is(name):
    manifest = load_bundle(name).manifest
    scenario = load_scenario(manifest.environment)

    assert manifest.digest == scenario.digest
    assert manifest.tuned["forecast"] == dict(scenario.tuned["forecast"])


@pytest.mark.parametrize("name", AGENTS)
def test_it_earns_more_than_what_it_corrects(name):
    setting = Setting(load_bundle(name).manifest.environment, "validation", 2)
    mine, rule = (run_allocator(setting, player)[0].net_usd.mean() for player in (name, "forecast"))

    assert mine > rule


@pytest.mark.parametrize("name", AGENTS)
def test_its_decisions_do_not_depend_on_the_batch(name):
    bundle = load_bundle(name)
    spans = bundle.policy.architecture.spans
    stored = golden_decisions(bundle.parts["golden.safetensors"], name, spans=spans)
    together = decide_plainly(bundle.policy, stored)
    for row in range(stored["capacity_gbps"].shape[-1]):
        columns = slice(row, row + 1)
        given = {key: v if key in TOPOLOGY else v[..., columns] for key, v in stored.items()}
        expected = {key: v[..., columns] for key, v in together.items()}
        found = decide_plainly(bundle.policy, given)

        assert TOLERANCE >= difference(found, expected, given["capacity_gbps"])


@pytest.mark.parametrize("name", AGENTS)
def test_its_card_says_what_it_earned(name):
    card = load_bundle(name).parts["card.md"].decode()

    assert "**this agent**" in card
    assert "bwalloc train" in card
    assert "Not measured" not in card


def test_a_rule_and_an_agent_are_told_apart():
    scenario = scenario_of(Setting("metro-inference"))

    assert type(rule_of(scenario, "metro-inference")).__name__ == "Learned"
