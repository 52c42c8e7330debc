import re
from pathlib import Path

import gymnasium
import networkx as nx
import numpy as np
import pytest
from gymnasium.spaces.utils import flatten
from training_env import training_file

import bwalloc
from bwalloc.gym.page import page_of
from bwalloc.money import TERMS
from bwalloc.observe import TABLES
from bwalloc.scenario import find, load_scenario
from bwalloc.scenario.catalogue import shelves

PAGES = Path(__file__).parents[3] / "docs" / "environments"
SHIPPED = sorted(path.stem for path in shelves()[-1].glob("*.toml"))


def rows_under(page, title):
    """Cells of the first table under a heading."""
    part = re.split(rf"^#+ {title}$", page, flags=re.MULTILINE)[1]
    lines = re.search(r"(?:^\|.*\n?)+", part, re.MULTILINE)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


@pytest.mark.parametrize("slug", SHIPPED)
def test_committed_page_is_what_the_file_says(slug):
    page = (PAGES / f"{slug}.md").read_text(encoding="utf-8")

    assert page_of(slug) == page, "run `make pages`"


def test_every_page_has_an_environment():
    assert SHIPPED == sorted(path.stem for path in PAGES.glob("*.md"))


def test_offsets_of_the_page_find_the_numbers():
    env = gymnasium.make("bwalloc/TinyEdge-v1").unwrapped
    observation, _ = env.reset(seed=0)
    flat = flatten(env.observation_space, observation)
    rows = rows_under(page_of("tiny-edge"), "Observation")

    assert set(observation) == {row[0].strip("`") for row in rows}
    for key, length, shape, offset, *_ in rows:
        values = observation[key.strip("`")]
        count, features = map(int, shape.split(" x "))
        assert count * features == int(length) == len(values)
        np.testing.assert_array_equal(values, flat[int(offset) : int(offset) + int(length)])


@pytest.mark.parametrize("kind", TABLES)
def test_every_feature_stands_at_its_index(kind):
    part = page_of("tiny-edge").split("## Observation")[1]
    rows = rows_under(part, kind.capitalize())

    assert [(str(i), f"`{f.name}`") for i, f in enumerate(TABLES[kind])] == [
        tuple(row[:2]) for row in rows
    ]


def test_terms_of_the_reward_are_those_of_info():
    env = gymnasium.make("bwalloc/TinyEdge-v1")
    env.reset(seed=0)
    info = env.step(np.zeros(env.action_space.shape, np.float32))[-1]
    rows = rows_under(page_of("tiny-edge"), "Reward")

    assert list(TERMS) == [row[0].strip("`") for row in rows] == list(info["reward_terms"])
    assert ["+", *"------"] == [row[1] for row in rows]


def test_factors_of_the_action_are_those_of_the_file(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(find("tiny-edge").read_text().replace("reserve = 2.0", "reserve = 0.5"))
    rows = rows_under(page_of(path), "Action")

    assert load_scenario(path).sizes.tunnels + 3 == len(rows)
    assert ["0", "reserve", "$e^{0.5 a}$", "0.6065 to 1.649"] == rows[0][:4]


def test_history_and_threshold_are_told(tmp_path):
    path = tmp_path / "tiny.toml"
    text = re.sub(r"\[rival\][^\[]*", "", find("tiny-edge").read_text())
    history = 'history = { "1" = "First.", "2" = "Links are | wider." }\n'
    path.write_text(f'{history}{text}\n[rival]\nallocator = "max-min"\nmean_return = 12.5\n')
    page = page_of(path)

    assert "| v1 | First. |\n| v2 | Links are \\| wider. |" in page
    assert "Best classical allocator: `max-min`; the `reward_threshold` of the id is 12.5" in page


def test_an_environment_without_extras_has_a_page(tmp_path):
    graph = nx.Graph()
    graph.add_edge("a", "b", capacity_gbps=10.0, delay_ms=1.0)
    demands = {"rest": {"class": "background", "from": "a", "to": "b", "mean_gbps": 2.0}}
    path = bwalloc.write_environment(tmp_path / "mine.toml", graph, demands, name="me/Mine-v1")
    page = page_of(path)

    assert 'gymnasium.make("bwalloc/CloudEdge-v1", env="mine.toml")' in page
    assert "its `ood` split is empty" in page


def test_varieties_of_a_class_name_their_sources(tmp_path):
    page = page_of(training_file(tmp_path))

    assert "| `checkpoint/restore.value_usd_per_gbit` | derived: 512 GPUs" in page
    assert "| `model_push/cold_start.late_usd_per_gbit_s` | derived: the same requests" in page
