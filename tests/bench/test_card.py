"""The card of an agent is of whole comparisons."""

import tomllib
from pathlib import Path

import pytest
from policies import manifest_of, random_policy, write_agent

from bwalloc.bench import card
from bwalloc.bench.card import Scores, ShiftScore, card_text
from bwalloc.bench.compare import Comparison
from bwalloc.bench.statistics import Interval
from bwalloc.bench.tasks import Setting
from bwalloc.scenario import load_scenario, load_template
from bwalloc.serve import load_bundle
from bwalloc.serve.bundles.agents import list_agents


def test_an_interrupted_comparison_makes_no_scores(monkeypatch):
    def interrupted(env, **_):
        return Comparison(Setting(env), interrupted=True)

    monkeypatch.setattr(card, "compare", interrupted)

    with pytest.raises(KeyboardInterrupt):
        card.scores_of(Path("agent"), "tiny-edge", episodes=2)


def test_shifts_are_played_beside_the_rules_that_are_best_on_the_test_split(tmp_path, monkeypatch):
    asked, compare = [], card.compare

    def noted(env, **options):
        asked.append(options)
        return compare(env, overrides={"time.intervals": 40}, **options)

    monkeypatch.setattr(card, "compare", noted)
    agent = write_agent(tmp_path / "agent", load_scenario("tiny-edge", {"time.intervals": 40}))
    found = card.scores_of(agent, "tiny-edge", episodes=2, bound=False)

    rows = {k: v for k, v in found.result["allocators"].items() if v["kind"] == "classical"}
    money = sorted((v["net_usd_per_h"]["mean"] for v in rows.values()), reverse=True)
    test, ood = asked
    assert "clairvoyant" not in test["allocators"]
    assert (test["bound"], ood["bound"]) == (False, False)
    *best, last = ood["allocators"]
    assert last == f"{agent}/"
    assert [rows[name]["net_usd_per_h"]["mean"] for name in best] == money[:6]


def test_a_card_without_a_bound_has_no_regret():
    given = scores(25.0)
    given.result["bound"]["net_usd_per_h"] = dict.fromkeys(("mean", "lo", "hi"), float("nan"))
    text = text_of(given)

    assert "regret" not in text
    assert "| bound" not in text
    assert "| **this agent** | 25.00 (24.00 to 26.00) | +5.00 (+4.00 to +6.00) |" in text


def interval(mean):
    return {"mean": mean, "lo": mean - 1, "hi": mean + 1}


def row(kind, money):
    return {
        "kind": kind,
        "net_usd_per_h": interval(money),
        "regret": interval(0.5),
        "gain_over_best_classical_usd_per_h": interval(money - 20),
    }


def scores(agent_usd, shifts=()):
    money = {f"rule-{rank}": 20.0 - rank for rank in range(8)}
    rows = {name: row("classical", usd) for name, usd in money.items()}
    rows |= {"clairvoyant": row("reference", 30.0), "a/": row("agent", agent_usd)}
    bound = {"net_usd_per_h": interval(31.0)}
    result = {"episodes": 4, "split": "test", "bound": bound, "allocators": rows}
    return Scores("a/", result, shifts)


def text_of(given, variety=()):
    scenario = load_scenario("tiny-edge", {"time.intervals": 40})
    manifest = manifest_of(scenario, random_policy(scenario), {})
    return card_text(manifest, given, "bwalloc export run --out a", variety)


def test_the_agent_stands_in_its_card_wherever_it_came():
    lines = text_of(scores(1.5)).splitlines()
    table = [line.split("|")[1].strip() for line in lines if line.startswith("| ") and "(" in line]

    assert ["bound", *(f"`rule-{rank}`" for rank in range(6)), "**this agent**"] == table


def test_a_shift_that_is_lost_is_warned_of():
    lost = ShiftScore("surge", 2, 90.0, "constant", 100.0, Interval(-10.0, -12.0, -8.0))
    held = ShiftScore("slow", 2, 99.0, "mpc", 100.0, Interval(-1.0, -3.0, 1.0))
    text = text_of(scores(25.0, [lost, held]))

    assert "- Under `surge` it earns 10.00 $/h less than `constant`" in text
    assert "Under `slow`" not in text
    assert "| slow | 2 | 99.00 | `mpc` | 100.00 | -1.00 (-3.00 to +1.00) |" in text


def test_a_policy_of_varied_episodes_does_not_claim_that_shifts_were_unseen():
    held = [ShiftScore("slow", 2, 99.0, "mpc", 100.0, Interval(-1.0, -3.0, 1.0))]
    plain, varied = text_of(scores(25.0, held)), text_of(scores(25.0, held), ["burst code"])

    assert ["never trained on" in text for text in (plain, varied)] == [True, False]
    assert ["burst code" in text for text in (plain, varied)] == [False, True]


@pytest.mark.parametrize(
    ("spans", "laws", "said"),
    [
        (False, ["forecast"], "It decides rates only; it orders no capacity."),
        (True, ["forecast"], "It learned rates only: its environment sells no capacity."),
        (True, ["forecast", "two-bar"], "It orders capacity where some is sold, behind the gate"),
    ],
)
def test_a_card_says_what_is_ordered_where_something_is_sold(spans, laws, said):
    scenario = load_scenario("tiny-edge", {"time.intervals": 40})
    tuned = {law: {} for law in laws}
    manifest = manifest_of(scenario, random_policy(scenario), {}, spans=spans, tuned=tuned)
    limits = card_text(manifest, None, "bwalloc export").partition("## Limits")[2]

    assert f"- {said}" in limits
    assert 1 == sum(text in limits for text in ("decides rates", "learned rates", "It orders"))


@pytest.mark.parametrize("name", list_agents())
def test_the_card_of_the_catalogue_says_what_its_environment_sells(name):
    bundle = load_bundle(name)
    said = card._orders(bundle.manifest)
    env = tomllib.loads(bundle.parts["recipe.toml"].decode())["env"]
    sells = load_template(env).usual.network.offers is not None

    assert f"- {said}\n" in bundle.parts["card.md"].decode()
    assert sells == said.startswith("It orders capacity")


def test_a_card_without_scores_says_so():
    assert "Not measured: exported with `--episodes 0`." in text_of(None)


def test_a_shift_is_scored_on_its_own_episodes_against_the_best_rule_under_it():
    money = {"a": (5, 1), "x": (4, 9), "y": (3, 2), "clairvoyant": (50, 50)}
    kinds = {"a": "agent", "x": "classical", "y": "classical", "clairvoyant": "reference"}
    episodes = [
        {"seed": seed, "net_usd_per_h": {name: usd[seed % 2] for name, usd in money.items()}}
        for seed in range(4)
    ]
    result = {
        "allocators": {name: {"kind": kind} for name, kind in kinds.items()},
        "episode_results": episodes,
    }
    one, other = (card._shift(result, "a", name, at, 2) for at, name in enumerate("st"))

    assert (2, 5.0, "x", 4.0, 1.0) == (one.episodes, one.agent, one.rule, one.best, one.gain.mean)
    assert (1.0, "x", -8.0) == (other.agent, other.rule, other.gain.mean)
