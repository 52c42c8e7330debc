"""From a run folder to a checked bundle, on the command line."""

import json

import numpy as np
import pytest

from bwalloc.cli import main

pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    recipe = folder.parent / "recipe.toml"
    recipe.write_text(
        'schema = 1\nenv = "tiny-edge"\nsteps = 160\n[network]\nhidden = 4\n'
        "[validation]\nepisodes = 2\nevery_steps = 80\n[apg]\nbatch = 4\n"
        "[constants.forecast]\nalpha = 0.123\n"
    )
    assert not main(["train", "tiny-edge", "--recipe", str(recipe), "--out", str(folder)])
    return folder


@pytest.mark.slow
def test_a_run_is_exported_verified_and_compared(run_folder, tmp_path, capsys):
    agent = tmp_path / "agent"
    assert not main(["export", str(run_folder), "--out", str(agent), "--episodes", "2"])
    assert not main(["verify", str(agent), "--decisions", "20", "--json", str(tmp_path / "v.json")])
    found = json.loads((tmp_path / "v.json").read_text())
    assert {"numpy", "onnxruntime"} == set(found["difference"])
    assert 20 == found["decisions"]

    constants = json.loads((agent / "manifest.json").read_text())["tuned"]
    assert 0.123 == constants["forecast"]["alpha"]

    arguments = ["--allocators", f"static,{agent}/", "--episodes", "2", "--json"]
    assert not main(["compare", "tiny-edge", *arguments, str(tmp_path / "c.json")])
    row = json.loads((tmp_path / "c.json").read_text())["results"][0]["allocators"][f"{agent}/"]
    assert "agent" == row["kind"]
    card = (agent / "card.md").read_text()
    assert "| **this agent** |" in card
    assert "bwalloc train tiny-edge" in card
    assert np.isfinite(row["net_usd_per_h"]["mean"])


def test_a_folder_without_a_run_is_refused(tmp_path, capsys):
    assert 2 == main(["export", str(tmp_path), "--out", str(tmp_path / "agent")])
    assert "is no finished run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["verify", "no-such-agent"], "no-such-agent"),
        (["verify", "./nowhere/"], "is no folder with a manifest.json"),
        (["export", "run", "--out", "x", "--episodes", "1"], "--episodes 1"),
    ],
)
def test_bad_input_is_one_line(capsys, arguments, text):
    assert 2 == main(arguments)
    shown = capsys.readouterr().err

    assert text in shown
    assert 1 == len(shown.strip().splitlines())
