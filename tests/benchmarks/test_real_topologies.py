"""The three real topologies that agents are measured on."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from bwalloc.allocate import CLASSICAL, ORDERING
from bwalloc.bench.tasks import Setting
from bwalloc.errors import BwallocError, TopologyError
from bwalloc.network.readers import from_networkx
from bwalloc.scenario import draw_world, list_scenarios, load_scenario
from bwalloc.scenario.generate_file import environment_on_graph

pytest.importorskip("topohub", reason="topohub is in the dependency group test")

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "benchmarks" / "real_topologies.py"
AGENT = str(ROOT / "agents" / "metro-inference")
SHORT = {"time.intervals": 34}
DEAR = {"mpc", "stochastic-lp", "last-value-lp"}


def loaded():
    """The script as a module; benchmarks are no package."""
    spec = importlib.util.spec_from_file_location("real_topologies", SCRIPT)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


real = loaded()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return real.write_all(tmp_path_factory.mktemp("real"))


@pytest.fixture(params=real.TOPOLOGIES, ids=lambda each: each.slug)
def topology(request):
    return request.param


def test_there_are_three_of_different_size_with_origin_and_licence(files):
    nodes = {len(real.graph_of(each.key)) for each in files}

    assert 3 == len(files) == len(nodes)
    assert max(nodes) <= 30
    for path in files.values():
        assert "MIT licence" in load_text(path, "source")


def load_text(path, key):
    line = next(line for line in path.read_text().splitlines() if line.startswith(f"{key} = "))
    return json.loads(line.removeprefix(f"{key} = "))


def test_no_environment_of_the_catalogue_names_them(files):
    for name, path in list_scenarios().items():
        text = path.read_text(encoding="utf-8").lower()
        for each in files:
            assert each.slug not in text.split('"'), f"{each.key} is in {name}"


def test_nodes_and_spans_are_those_of_the_topology(topology, files):
    graph, network = real.graph_of(topology.key), load_scenario(files[topology]).network
    kinds = network.sites.kind
    core = [name for name in network.spans.name if "edge-" not in name and "cloud-" not in name]

    assert len(graph) == kinds.count("hub") == kinds.count("edge")
    assert graph.number_of_edges() == len(core)
    assert 2 <= kinds.count("cloud") <= 3
    assert 9 == len(set(network.demands.classes))
    assert network.offers is not None


def test_the_same_seed_plays_the_same_episode(topology, files, tmp_path):
    again = real.write_all(tmp_path, [topology])[topology]
    assert again.read_text() == files[topology].read_text()

    worlds = [draw_world(load_scenario(path), "test", 5) for path in (again, files[topology])]
    np.testing.assert_array_equal(*(world.arrivals_gbit for world in worlds))


def test_no_cheap_rule_breaks_a_limit(topology, files):
    rules = [name for name in (*CLASSICAL, *ORDERING) if name not in DEAR]
    setting = Setting(str(files[topology]), episodes=2, overrides=SHORT)
    result = real.played(topology, setting, AGENT, rules)

    assert {*rules, AGENT} == result["allocators"].keys()
    assert {0} == {row["violations"] for row in result["allocators"].values()}
    assert [0, 1] == [each["seed"] for each in result["episode_results"]]


def test_gains_are_paired_and_the_best_rule_is_the_best(files):
    topology = real.TOPOLOGIES[0]
    setting = Setting(str(files[topology]), episodes=3, overrides=SHORT)
    result = real.played(topology, setting, AGENT, ["max-min"])
    earned = [each["net_usd_per_h"] for each in result["episode_results"]]
    mean = {name: np.mean([each[name] for each in earned]) for name in earned[0]}

    rules = ("static-peak", "max-min", "forecast")
    assert max(rules, key=lambda name: mean[name]) == result["best_rule"]
    gain = result["gain_on_forecast_usd_per_h"]
    assert mean[AGENT] - mean["forecast"] == pytest.approx(gain["mean"])
    assert gain["lo"] <= gain["mean"] <= gain["hi"]
    text = real.table([result], AGENT)
    assert f"| `sndlib/nobel-us` | 14 | {result['demands']} | {mean[AGENT]:.1f} |" in text
    assert "0 violations" in text


def test_the_command_writes_the_files(tmp_path):
    line = [sys.executable, str(SCRIPT), "--envs", str(tmp_path / "new")]
    done = subprocess.run(line, capture_output=True, text=True, check=False)

    assert (0, "") == (done.returncode, done.stderr)
    assert {f"{each.slug}.toml" for each in real.TOPOLOGIES} == {
        path.name for path in (tmp_path / "new").iterdir()
    }


def test_the_command_says_what_it_needs():
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False
    )

    assert 2 == done.returncode
    assert "--envs DIR" in done.stderr


def test_a_topology_that_topohub_has_not_is_named():
    with pytest.raises(BwallocError, match="TopoHub has no topology 'sndlib/polka'"):
        real.graph_of("sndlib/polka")


def test_without_topohub_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "topohub", None)
    with pytest.raises(BwallocError, match="pip install topohub"):
        real.graph_of("sndlib/polska")


def test_a_topology_without_places_or_capacities_is_refused():
    atlanta = real.graph_of("sndlib/atlanta")  # its places are pixels
    with pytest.raises(TopologyError, match="node 'N1' has a longitude of 283"):
        environment_on_graph(atlanta, name="real/Atlanta-v1")
    for _, data in atlanta.nodes(data=True):
        del data["pos"]
    nx.set_edge_attributes(atlanta, None, "dist")
    with pytest.raises(TopologyError, match="has no length: give it delay_ms or km"):
        environment_on_graph(atlanta, name="real/Atlanta-v1")
    with pytest.raises(TopologyError, match="has no capacity; give default_capacity_gbps"):
        from_networkx(real.graph_of("sndlib/polska"))
