"""Who plays in a comparison."""

import pytest
from policies import random_policy, write_agent

from bwalloc.allocate import CLASSICAL, REFERENCES
from bwalloc.bench import players as players_module
from bwalloc.bench.compare import compare
from bwalloc.bench.players import kind_of, make_player, players
from bwalloc.bench.summary import summarise
from bwalloc.errors import BundleError, UnknownNameError
from bwalloc.scenario import load_scenario
from bwalloc.serve import load_bundle
from bwalloc.serve.bundles import agents

SHORT = {"time.intervals": 40}


@pytest.fixture
def catalogue(tmp_path, monkeypatch):
    scenario = load_scenario("tiny-edge", SHORT)
    write_agent(tmp_path / "tiny-agent", scenario)
    write_agent(tmp_path / "stranger", scenario, environment="bwalloc/Other-v1")
    monkeypatch.setattr(agents, "_shipped", lambda: tmp_path)
    monkeypatch.setattr(players_module, "_BUNDLES", {})
    return tmp_path


def test_by_default_the_agents_of_the_environment_play(catalogue):
    assert [*CLASSICAL, *REFERENCES, "tiny-agent"] == players(None, "bwalloc/TinyEdge-v1")


def test_agents_are_chosen_by_name_or_path(catalogue):
    path = f"{catalogue / 'stranger'}/"

    assert ["static-peak", "stranger", path] == players(["stranger", path], "bwalloc/TinyEdge-v1")


def test_an_unknown_name_gets_the_nearest(catalogue):
    with pytest.raises(UnknownNameError, match="tiny-agent"):
        players(["tiny-agnt"], "bwalloc/TinyEdge-v1")


def test_the_folder_one_is_in_is_pointed_at(catalogue, monkeypatch):
    write_agent(catalogue / "mine", load_scenario("tiny-edge", SHORT))
    monkeypatch.setattr(agents, "_shipped", lambda: catalogue / "elsewhere")
    monkeypatch.chdir(catalogue)

    for ask in (lambda: players(["mine"], "bwalloc/TinyEdge-v1"), lambda: load_bundle("mine")):
        with pytest.raises(UnknownNameError, match=r"say \./mine\."):
            ask()


def test_a_path_without_an_agent_is_refused(catalogue, tmp_path):
    with pytest.raises(BundleError, match="no folder with a manifest"):
        players([f"{tmp_path}/none/"], "bwalloc/TinyEdge-v1")


def test_a_broken_agent_is_refused_before_the_work(catalogue):
    (catalogue / "stranger" / "weights.safetensors").write_bytes(b"cut off")

    with pytest.raises(BundleError, match="does not have the hash"):
        compare("tiny-edge", allocators=["stranger"])


def test_an_agent_that_was_exported_again_plays_as_it_is_now(catalogue):
    scenario = load_scenario("tiny-edge", SHORT)
    players(["tiny-agent"], scenario.id)
    before = make_player("tiny-agent", scenario, None).policy.weights
    other = random_policy(scenario, seed=1)
    write_agent(catalogue / "tiny-agent", scenario, policy=other)
    players(["tiny-agent"], scenario.id)
    after = make_player("tiny-agent", scenario, None).policy.weights

    name = "demand.out.bias"
    assert other.weights[name].tolist() == after[name].tolist() != before[name].tolist()


@pytest.mark.parametrize(
    ("name", "kind"),
    [("constant", "classical"), ("clairvoyant", "reference"), ("tiny-agent", "agent")],
)
def test_kinds(name, kind):
    assert kind == kind_of(name)


def test_an_agent_asks_for_no_history(catalogue):
    def history():
        raise AssertionError

    scenario = load_scenario("tiny-edge", SHORT)
    rule = make_player("tiny-agent", scenario, history)

    wanted = random_policy(scenario).weights
    assert all((rule.policy.weights[name] == wanted[name]).all() for name in wanted)


def test_an_agent_is_never_the_best_classical(catalogue):
    comparison = compare(
        "tiny-edge",
        allocators=["static", "tiny-agent"],
        split="validation",
        episodes=2,
        overrides=SHORT,
    )
    result = summarise(comparison)

    assert "agent" == result["allocators"]["tiny-agent"]["kind"]
    assert result["best_classical"] in ("static", "static-peak")
    assert 0 == result["allocators"]["tiny-agent"]["violations"]
