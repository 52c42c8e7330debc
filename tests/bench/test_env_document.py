import json

import numpy as np
import pytest

from bwalloc.bench import env_document
from bwalloc.bench.env_document import SECTIONS, bench_document
from bwalloc.bench.env_growth import grow_demands, grow_environments, star
from bwalloc.cli import main
from bwalloc.scenario import load_scenario


def test_a_document_holds_the_sections_asked_for_and_the_machine():
    document = bench_document("tiny-edge", ("faces", "mobile"), 0.05)

    names = ["env", "machine", "reference_cpu_us", "faces", "mobile", "memory_mib"]
    assert names == list(document)
    assert json.loads(json.dumps(document)) == document
    faces = [(row["face"], row["num_envs"]) for row in document["faces"]]
    assert [("gym.make", 1), ("gym.make, idle", 1), ("vector", 64), ("vector, idle", 64)] == faces
    assert all(row["steps_per_s"] > 0 for row in document["faces"])
    assert "--mobile-python" in document["mobile"]["missing"]
    assert "node" not in document["machine"]


def test_batches_grow_as_asked():
    grown = grow_environments(load_scenario("tiny-edge"), 0.05, (1, 3))

    assert [1, 3] == [speed.num_envs for speed, _ in grown]


def test_networks_grow_as_asked():
    (grown,) = grow_demands(compiled=False, seconds=0.05, counts=(10,))

    assert (10, 12) == (grown.demands, grown.links)
    assert 16 == grown.speed.batch


def test_every_demand_of_a_star_has_its_way_through_the_hub():
    network = star(10).network

    assert 10 == network.n_demands
    assert (2 == (network.flat_hops < network.n_links).sum(1)).all()
    assert 5 == len(network.demands.rows_of("background"))
    assert np.isfinite(network.links.capacity_gbps).all()


def test_the_command_writes_the_document(tmp_path, capsys):
    path = tmp_path / "speed.json"

    assert 0 == main(["bench", "env", "tiny-edge", "--section", "mobile", "--json", str(path)])
    assert {"env", "machine", "mobile"} < set(json.loads(path.read_text()))
    assert "peak memory" in capsys.readouterr().out


def test_an_unknown_section_is_one_line(capsys):
    assert 2 == main(["bench", "env", "tiny-edge", "--section", "face"])
    assert "faces" in capsys.readouterr().err


@pytest.mark.parametrize(("python", "said"), [("no-such-python", "no such file"), ("false", "run")])
def test_an_interpreter_without_mobile_env_is_one_line(capsys, python, said):
    command = ["bench", "env", "tiny-edge", "--section", "mobile", "--mobile-python", python]

    assert 2 == main(command)
    assert said in capsys.readouterr().err
    assert len(env_document.SECTIONS) == len(set(SECTIONS))
