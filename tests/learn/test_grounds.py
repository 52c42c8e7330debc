"""Networks that are drawn, visited in turn; and rates that are learned before orders."""

from __future__ import annotations

import re

import pytest

torch = pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")

import numpy as np  # noqa: E402
from ordering import ports  # noqa: E402

from bwalloc.errors import BwallocError, RecipeError  # noqa: E402
from bwalloc.learn import train as train_module  # noqa: E402
from bwalloc.learn.apg import ApgTrainer, Size, first_seed  # noqa: E402
from bwalloc.learn.grounds import interleaved  # noqa: E402
from bwalloc.learn.recipe import read_recipe, recipe_from, recipe_toml  # noqa: E402
from bwalloc.learn.train import train  # noqa: E402
from bwalloc.learn.validation import Score, Validation  # noqa: E402
from bwalloc.scenario import find, load_scenario, load_template  # noqa: E402

SHORT = {"time.intervals": 40, "random.record_episodes": 2, "random.edges": [3, 4]}
TWICE = {"name": "twice", "demand_factor": 2.0}
SHORT |= {"random.hubs": [2, 2], "random.clouds": [1, 1]}


@pytest.fixture(scope="module")
def template():
    return load_template("random-edge", SHORT)


def recipe(**apg):
    section = {"batch": 2, "networks": 2, "stay": 1.0, "cut": 20, **apg}
    table = {"env": "random-edge", "network": {"hidden": 8}, "apg": section}
    return recipe_from(table, "test")


def trainer_of(template, **apg):
    def draw(number):
        return template.scenario("train", number)

    return ApgTrainer(template.usual, recipe(**apg), draw=draw)


def test_updates_go_from_network_to_network_and_each_stays_for_an_episode(template):
    trainer, visited = trainer_of(template), []
    for _ in range(8):
        visited.append(trainer.grounds.here.scenario.digest)
        trainer.update(0.0)

    first, second, third, fourth = (
        template.scenario("train", first_seed(0) + n).digest for n in range(4)
    )
    assert visited == [first, second, first, second, third, fourth, third, fourth]


def test_every_network_moves_the_weights(template):
    trainer = trainer_of(template)
    for _ in range(3):
        before = trainer.network.numpy()
        trainer.update(0.0)
        after = trainer.network.numpy()
        assert any((before[name] != after[name]).any() for name in before)


def test_a_run_that_goes_on_meets_networks_it_has_not_seen(template):
    trainer = trainer_of(template)
    trainer.update(0.0)
    other = trainer_of(template)
    other.resume(trainer.tensors(), trainer.steps)

    used = {ground.scenario.digest for ground in trainer.grounds.grounds.values()}
    assert not used & {ground.scenario.digest for ground in other.grounds.grounds.values()}


def test_a_checkpoint_that_counts_episodes_and_networks_in_one_is_gone_on_with(template):
    trainer, other = trainer_of(template), trainer_of(template)
    saved = trainer.tensors()
    del saved["networks/next"]
    saved["episodes/next"] += 5
    other.resume(saved, 0)

    assert other.unseen == (first_seed(0) + 5, first_seed(0) + 5)


def starts(grounds):
    return {float(hour) for ground in grounds for hour in ground.unroll.episodes.start_h}


def starts_of(trainer):
    return starts(trainer.grounds.grounds.values())


def test_no_two_networks_play_the_same_episodes(template):
    """Worlds of one number are alike on all networks: the same hours, the same surges."""
    trainer = trainer_of(template)
    first = starts_of(trainer)
    for _ in range(4):
        trainer.update(0.0)
    other = trainer_of(template)
    other.resume(trainer.tensors(), trainer.steps)

    assert len(first) == 4
    assert not first & starts_of(trainer)
    assert not (first | starts_of(trainer)) & starts(other.grounds.grounds.values())


def test_what_follows_an_episode_is_played_on_no_other_network(template):
    """Episodes are staggered, so within its stay a network plays what follows some of them."""
    trainer, played = trainer_of(template), {}
    for _ in range(8):
        here = trainer.grounds.here
        trainer.update(0.0)
        hours = played.setdefault(here.scenario.digest, (here, set()))[1]
        hours |= starts([here])

    counts = [len(hours) for _, hours in played.values()]
    assert max(counts) > 2
    assert sum(counts) == len(set.union(*(hours for _, hours in played.values())))


def test_a_run_that_goes_on_builds_its_networks_once(template, monkeypatch):
    trainer, numbers = trainer_of(template, rates_first=0.5, rates_cut=10), []
    saved = trainer.tensors()
    draw = trainer.draw
    monkeypatch.setattr(trainer, "draw", lambda number: numbers.append(number) or draw(number))
    trainer.resume(saved, 0)
    trainer.update(0.6)

    assert numbers == [first_seed(0), first_seed(0) + 1]


def test_validation_plays_each_episode_on_its_own_network(template):
    validation = Validation.of(template, 3, "forecast")

    digests = [court.scenario.digest for court in validation.courts]
    assert digests == [template.scenario("validation", seed).digest for seed in range(3)]
    for seed, court in enumerate(validation.courts):
        alone = Validation(template.scenario("validation", seed), 3, "forecast")
        assert court.rival_usd_per_h[0] == pytest.approx(alone.rival_usd_per_h[seed])


@pytest.mark.slow
def test_training_on_drawn_networks_earns_more_on_others(tmp_path):
    """A hundred updates; validated on four networks that were never trained on."""
    table = {
        "env": "random-edge", "steps": 8_000,
        "validation": {"episodes": 4, "every_steps": 8_000},
        "network": {"hidden": 16},
        "apg": {"batch": 8, "networks": 4, "rates_first": 1.0, "rates_cut": 10,
                "learning_rate": 1e-2, "average": 0.9},
    }  # fmt: skip
    folder = train(recipe_from(table, "test"), tmp_path / "run")

    first, *_, last = (point.validation_usd_per_h for point in folder.points)
    assert last > first + 1


def test_rates_are_learned_first_and_then_orders(tmp_path):
    section = {"batch": 4, "cut": 40, "rates_first": 0.5, "rates_cut": 5, "learning_rate": 1e-2}
    table = {"env": "ports", "network": {"hidden": 8}, "apg": section}
    trainer = ApgTrainer(ports(tmp_path), recipe_from(table, "test"))
    silent = trainer.network.numpy()["span.out.weight"]

    for progress in (0.0, 0.2, 0.49):
        trainer.update(progress)
    assert trainer.steps == 3 * 4 * 5
    np.testing.assert_array_equal(trainer.network.numpy()["span.out.weight"], silent)
    for progress in (0.5, 0.7):
        trainer.update(progress)
    assert trainer.steps == 3 * 4 * 5 + 2 * 4 * 40
    assert np.abs(trainer.network.numpy()["span.out.weight"] - silent).max() > 1e-4


def test_each_part_of_a_run_has_its_own_learning_rate(tmp_path):
    section = {"batch": 2, "cut": 40, "rates_first": 0.5, "rates_cut": 5, "final_share": 0.1}
    table = {"env": "ports", "network": {"hidden": 8}, "apg": section}
    trainer = ApgTrainer(ports(tmp_path), recipe_from(table, "test"))
    rates = []
    for progress in (0.0, 0.4999, 0.5, 0.9999):
        trainer.update(progress)
        rates.append(trainer.optimiser.param_groups[0]["lr"] / 3e-3)

    assert rates == pytest.approx([1.0, 0.1, 1.0, 0.1], abs=1e-3)


def test_gradients_no_longer_than_an_episode(tmp_path):
    scenario = ports(tmp_path, {"time.intervals": 60})
    for section in (
        {"cut": 61},
        {"cut": 60, "rates_first": 0.5, "rates_cut": 61},
        {"cut": 60, "between": 1, "rates_cut": 61},
    ):
        with pytest.raises(RecipeError, match=r"got 61, an episode of .* has 60"):
            ApgTrainer(scenario, recipe_from({"env": "ports", "apg": section}, "test"))


@pytest.mark.parametrize("drawn", [False, True])
def test_no_tensor_turns_into_an_array_unasked(template, tmp_path, monkeypatch, drawn):
    """A tensor on a GPU cannot: what is needed on NumPy is fetched in so many words."""

    def refuse(*_):
        raise TypeError

    trainer = trainer_of(template) if drawn else ApgTrainer(ports(tmp_path), recipe(critic=True))
    monkeypatch.setattr(torch.Tensor, "__array__", refuse)
    trainer.update(0.0)
    trainer.update(0.0)


def test_rows_are_spread_evenly():
    assert interleaved("ab", "123456") == list("1a234b56")
    assert interleaved("ab", "") == list("ab")


@pytest.fixture(scope="module")
def beside():
    """An environment that sells capacity and one that does not."""
    return (
        load_scenario("enterprise-naas", {"time.intervals": 60}),
        load_scenario("tiny-edge", {"time.intervals": 40}),
    )


def trainer_beside(template, also, **apg):
    def draw(number):
        return template.scenario("train", number)

    return ApgTrainer(template.usual, recipe(networks=1, **apg), draw=draw, also=also)


def test_other_environments_are_visited_in_turn(template, beside):
    trainer, visited = trainer_beside(template, beside, rates_cut=5), []
    for _ in range(6):
        here = trainer.grounds.here
        visited.append((here.scenario.slug, here.cut))
        trainer.update(0.5)

    round_of = [("enterprise-naas", 20), ("random-edge", 20), ("tiny-edge", 5)]
    assert visited == round_of * 2
    assert trainer.steps == 2 * 2 * (20 + 20 + 5)


def test_money_is_told_by_intervals_of_the_recipes_environment(template, beside, monkeypatch):
    """One of 30 s, beside one of 60 s and one of 10 s."""
    trainer, means = trainer_beside(template, beside, rates_cut=5), []
    play = trainer._play

    def noting(**options):
        money, seen = play(**options)
        means.append(float(torch.stack(money).mean().detach()))
        return money, seen

    monkeypatch.setattr(trainer, "_play", noting)
    told = [trainer.update(0.5) for _ in range(3)]

    naas, drawn, tiny = means
    assert naas
    assert told == pytest.approx([naas * 30 / 60, drawn, tiny * 30 / 10])


def test_what_sees_nothing_of_spans_elsewhere_sees_them_here(template, beside):
    """One network for all: it is asked about spans and rhythms where there are none."""
    trainer = trainer_beside(template, beside, rates_cut=5)
    grounds = {ground.scenario.slug: ground for ground in trainer.grounds.grounds.values()}

    rows = {slug: ground.unroll.features()["demands"].shape[0] for slug, ground in grounds.items()}
    assert len(set(rows.values())) == 1


def test_a_run_that_goes_on_meets_new_episodes_everywhere(template, beside):
    trainer, other = (trainer_beside(template, beside, rates_cut=5) for _ in range(2))
    for _ in range(3):
        trainer.update(0.5)
    other.resume(trainer.tensors(), trainer.steps)

    assert not starts_of(trainer) & starts_of(other)


def test_a_cut_longer_than_an_episode_beside_is_refused(template, beside):
    with pytest.raises(
        RecipeError, match=r"apg\.rates_cut: got 50, an episode of tiny-edge has 40"
    ):
        trainer_beside(template, beside, rates_cut=50)


def test_validation_plays_the_others_once_against_their_own_rivals(template, beside):
    alone = Validation.of(template, 2, "forecast")
    together = Validation.of(template, 2, "forecast", also=(*beside, beside[0]))

    assert [court.scenario.slug for court in together.courts[len(alone.courts) :]] == [
        "enterprise-naas", "tiny-edge",
    ]  # fmt: skip
    tiny = Validation(beside[1], 2, beside[1].rival)
    np.testing.assert_array_equal(together.courts[-1].rival_usd_per_h, tiny.rival_usd_per_h)


def test_a_recipe_names_other_environments(tmp_path):
    known = recipe_from({"env": "random-edge", "also": ["tiny-edge", "geo-training"]}, "test")
    (tmp_path / "recipe.toml").write_text(recipe_toml(known))

    assert read_recipe(tmp_path / "recipe.toml") == known
    assert "also" not in recipe_toml(recipe_from({"env": "random-edge"}, "test"))


def test_environments_beside_are_trained_on_and_validated(tmp_path, monkeypatch):
    """Trained on with the variety of the recipe and the constants of its environment."""
    given: dict[str, tuple] = {}

    def begin(*args):
        given["trained"] = args[-1]

    def stop(*_, also):
        given["validated"] = also
        raise KeyboardInterrupt

    monkeypatch.setattr(train_module, "make_trainer", begin)
    monkeypatch.setattr(train_module.Validation, "of", stop)
    table = {"env": "tiny-edge", "also": ["metro-inference"], "variety": [TWICE]}
    with pytest.raises(KeyboardInterrupt):
        train(recipe_from(table, "test"), tmp_path)
    (trained,), (validated,) = given["trained"], given["validated"]

    assert "metro-inference" == trained.slug == validated.slug
    assert load_scenario("tiny-edge").tuned == trained.tuned != validated.tuned
    assert [2.0] == [shift.demand_factor for shift in trained.workload.variety]
    assert () == validated.workload.variety


@pytest.mark.parametrize("env", ["random-edge", "tiny-edge"])
def test_the_policy_is_trained_and_validated_with_constants_of_its_own(tmp_path, monkeypatch, env):
    """And its rival with those of the environment."""
    found: dict[str, list] = {"trained": [], "validated": []}

    def play(self, progress):
        grounds = self.grounds.grounds.values()
        found["trained"] += [each.scenario.tuned["forecast"]["alpha"] for each in grounds]
        return 0.0

    def score(self, policy):
        found["validated"].append(policy.tuned["forecast"]["alpha"])
        found["rival"] = [court.scenario.tuned["forecast"]["alpha"] for court in self.courts]
        raise KeyboardInterrupt

    monkeypatch.setattr(train_module.Validation, "__call__", score)
    table = {
        "env": env, "validation": {"episodes": 1}, "constants": {"forecast": {"alpha": 0.123}},
        "network": {"hidden": 4}, "apg": {"batch": 1, "networks": 1},
        "also": ["metro-inference"],
    }  # fmt: skip
    chosen = recipe_from(table, "test")
    with pytest.raises(KeyboardInterrupt):
        train(chosen, tmp_path)
    monkeypatch.setattr(train_module.Validation, "__call__", lambda *_: Score(0.0, 0.0, 0.0))
    monkeypatch.setattr(ApgTrainer, "update", play)
    monkeypatch.setattr(train_module._Session, "_is_over", lambda _: len(found["trained"]) > 0)
    train(chosen, tmp_path)

    assert [0.123] * 2 == found["trained"]
    assert [0.123] == found["validated"]
    theirs = [
        load_template(each).usual.tuned["forecast"]["alpha"] for each in (env, "metro-inference")
    ]
    assert theirs == found["rival"]


def test_two_environments_of_one_name_are_refused(tmp_path):
    text = find("tiny-edge").read_text()
    for folder, seconds in (("a", "40"), ("b", "41")):
        (tmp_path / folder).mkdir()
        changed = re.sub(r"(?m)^intervals = \d+", f"intervals = {seconds}", text)
        (tmp_path / folder / "x.toml").write_text(changed)
    also = [str(tmp_path / folder / "x.toml") for folder in ("a", "b")]

    with pytest.raises(RecipeError, match="two environments are called x"):
        train(recipe_from({"env": "tiny-edge", "also": also}, "test"), tmp_path / "run")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"env": "random-edge", "also": ["geo-trainning"]}, "geo-training"),
        ({"env": "tiny-edge", "also": ["random-edge"]}, "swap the two"),
        ({"env": "tiny-edge", "also": ["geo-training"]}, "sells capacity or has jobs"),
        ({"env": "tiny-edge", "also": ["tiny-edge"], "algorithm": "ppo"}, "or use apg"),
        (
            {"env": "tiny-edge", "algorithm": "bc", "constants": {"two-bar": {"lead": 0.9}}},
            "constants: bc clones",
        ),
    ],
)
def test_environments_that_do_not_go_together_are_refused(tmp_path, table, message):
    with pytest.raises(BwallocError, match=message):
        train(recipe_from(table, "test"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("short", [5, 20])
def test_rates_are_learned_between_orders(template, beside, short):
    """Also where visits of both kinds are as long."""
    trainer, visited = trainer_beside(template, beside[:1], rates_cut=short, between=2), []
    for _ in range(6):
        here = trainer.grounds.here
        visited.append((here.scenario.slug, here.cut, here.rates_only))
        trainer.update(0.5)

    assert visited.count(("enterprise-naas", 20, False)) == 1
    assert visited.count(("random-edge", 20, False)) == 1
    assert visited.count(("enterprise-naas", short, True)) == 2
    assert visited.count(("random-edge", short, True)) == 2


def test_in_between_orders_are_played_and_not_learned(template, beside):
    trainer = trainer_beside(template, beside[:1], cut=40, rates_cut=5, between=1, average=0.0)
    moved: dict[bool, list[bool]] = {True: [], False: []}
    for _ in range(4):
        rates_only = trainer.grounds.here.rates_only
        before = trainer.network.numpy()["span.out.weight"]
        trainer.optimiser = torch.optim.Adam(trainer.network.parameters(), 1e-2)  # no momentum
        trainer.update(0.5)
        after = trainer.network.numpy()["span.out.weight"]
        moved[rates_only].append(bool((after != before).any()))

    assert moved[True] == [False, False]
    assert any(moved[False])


def test_nothing_comes_between_while_rates_alone_are_learned(template, beside):
    trainer = trainer_beside(template, beside[:1], rates_first=0.5, rates_cut=5, between=2)

    assert len(trainer.grounds.grounds) == 2


def test_rates_are_learned_from_more_episodes(template, beside):
    trainer = trainer_beside(template, beside, rates_cut=5, rates_batch=7)
    sizes = {}
    for _ in range(3):
        here, before = trainer.grounds.here, trainer.steps
        trainer.update(0.5)
        sizes[here.scenario.slug] = (here.batch, len(here.unroll.interval), trainer.steps - before)

    assert sizes["tiny-edge"] == (7, 7, 7 * 5)
    assert sizes["enterprise-naas"] == sizes["random-edge"] == (2, 2, 2 * 20)


def test_an_environment_goes_on_from_visit_to_visit_and_a_drawn_network_gives_way(template, beside):
    """Begun anew in the middle of an episode it would hold the tiers of its start."""
    trainer, seen = trainer_beside(template, beside[:1], stay=0.5), []
    for _ in range(6):
        here = trainer.grounds.here
        seen.append((here.scenario.digest, here.unroll, here.unroll.interval.min()))
        trainer.update(0.5)
    drawn, naas = seen[::2], seen[1::2]

    assert len({unroll for _, unroll, _ in naas}) == 1
    assert [at for _, _, at in naas] == [0, 20, 0]
    assert len({digest for digest, _, _ in drawn}) == 3


def test_an_environment_named_twice_is_one_place_visited_twice(template, beside):
    trainer = trainer_beside(template, (beside[0], beside[1], beside[0]), rates_cut=5, between=2)
    slugs = [trainer.grounds.places[stop.place].scenario.slug for stop in trainer.grounds.stops]

    assert slugs.count("enterprise-naas") == 2 * (1 + 2)
    assert slugs.count("random-edge") == slugs.count("tiny-edge") == 1 + 2
    kinds = [
        (ground.scenario.slug, ground.rates_only) for ground in trainer.grounds.grounds.values()
    ]
    assert len(kinds) == len(set(kinds)) == 5


def norms_by_kind(trainer, updates):
    """Of the gradients that the optimiser is given, by environment and what is learned."""
    found, step = {}, trainer.optimiser.step

    def noting():
        here = trainer.grounds.here
        grads = [each.grad for each in trainer.network.parameters() if each.grad is not None]
        norm = float(torch.nn.utils.get_total_norm(grads))
        found.setdefault((here.scenario.slug, here.rates_only), []).append(norm)
        step()

    trainer.optimiser.step = noting
    for _ in range(updates):
        trainer.update(0.5)
    return found


def test_gradients_of_every_environment_may_count_alike(template, beside):
    apg = {"rates_cut": 20, "between": 1, "clip_norm": 1e6}
    plain = norms_by_kind(trainer_beside(template, beside, **apg), 6)
    trainer = trainer_beside(template, beside, even=True, **apg)
    even = norms_by_kind(trainer, 6)

    assert len(plain) == len(even) == 5
    first = {kind: norms[0] for kind, norms in plain.items() if norms[0] > 1e-6}  # not warm-up
    assert len(first) >= 4
    assert max(first.values()) > 5 * min(first.values())
    assert [even[kind][0] for kind in first] == pytest.approx([1.0] * len(first), rel=1e-4)
    assert set(trainer.sizes) == {
        "enterprise-naas/orders", "enterprise-naas/rates", "random-edge/orders",
        "random-edge/rates", "tiny-edge/rates",
    }  # fmt: skip


def test_the_size_of_gradients_follows_them():
    size = Size().after(3.0)
    assert size.norm == 3.0
    for _ in range(200):
        size = size.after(0.5)
    assert size.norm == pytest.approx(0.5, rel=1e-3)


def test_a_run_that_goes_on_knows_the_sizes_of_its_gradients(template, beside):
    trainer, other = (trainer_beside(template, beside, rates_cut=5, even=True) for _ in range(2))
    for _ in range(3):
        trainer.update(0.5)
    other.resume(trainer.tensors(), trainer.steps)

    assert len(other.sizes) == 3
    assert other.sizes == trainer.sizes


def test_where_orders_wait_gradients_count_as_those_of_rates(template, beside):
    trainer = trainer_beside(template, beside[:1], rates_first=0.5, rates_cut=5, even=True)
    for _ in range(2):
        trainer.update(0.1)

    assert set(trainer.sizes) == {"enterprise-naas/rates", "random-edge/rates"}
