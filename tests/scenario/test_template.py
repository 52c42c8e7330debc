import pickle

import pytest

from bwalloc.scenario import load_scenario, load_template
from bwalloc.scenario.template import KEPT


def test_one_network_is_the_scenario_of_every_episode():
    template = load_template("tiny-edge")

    assert not template.is_drawn
    assert template.usual is template.scenario("test", 3)
    assert template.env is template.file("test", 3)


def test_a_drawn_environment_is_represented_by_network_0_of_train():
    template = load_template("random-edge")

    assert template.is_drawn
    assert template.scenario("train", 0).digest == load_scenario("random-edge").digest
    assert template.usual.sizes == template.scenario("test", 9).sizes


def test_a_seed_in_the_file_plays_one_network_in_all_episodes():
    one = load_template("random-edge", {"random.seed": 7, "random.split": "test"})

    assert not one.is_drawn
    assert one.scenario("train", 3) is one.usual
    assert load_template("random-edge").scenario("test", 7).digest == one.usual.digest


def test_networks_are_kept_but_not_without_end():
    template = load_template("random-edge")
    first = template.scenario("train", 0)
    assert first is template.scenario("train", 0)
    for seed in range(1, KEPT + 1):
        template.scenario("train", seed)

    assert KEPT == len(template._kept)
    again = template.scenario("train", 0)
    assert first is not again
    assert first.digest == again.digest


def test_copies_leave_drawn_networks_behind():
    template = load_template("random-edge")
    digest = template.scenario("train", 1).digest
    copy = pickle.loads(pickle.dumps(template))

    assert {} == copy._kept
    assert digest == copy.scenario("train", 1).digest


def test_tuned_constants_leave_networks_and_worlds_as_they_are(tmp_path):
    template = load_template("random-edge")
    path = tmp_path / "random-edge.toml"
    path.write_text(template.path.read_text() + "\n[allocators.someone]\nquantile = 0.9\n")
    other = load_template(path)

    assert template.entropy == other.entropy
    assert template.scenario("test", 0).digest == other.scenario("test", 0).digest


@pytest.mark.parametrize(
    ("key", "value"), [("random.radius_km", (30.0, 30.0)), ("random.spans.cloud.headroom", (2, 2))]
)
def test_what_the_law_says_is_part_of_what_is_drawn(key, value):
    plain = load_template("random-edge").scenario("train", 5)

    assert plain.digest != load_template("random-edge", {key: value}).scenario("train", 5).digest


@pytest.mark.parametrize("seed", range(12))
def test_shipped_plans_are_those_of_the_first_test_networks(seed):
    """Plans are named by the digest: whatever moves a network throws them away."""
    template = load_template("random-edge")
    plan = f"{template.scenario('test', seed).digest[:16]}-test-{seed}.npz"

    assert (template.path.parent / "plans" / plan).is_file()
