"""`bwalloc envs` on environments with one network, and on those that draw one per episode."""

from bwalloc.cli import main
from bwalloc.scenario import find, load_scenario


def test_the_list_says_how_large_drawn_networks_may_be(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert 0 == main(["envs", "list"])
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
    sizes = load_scenario("random-edge").sizes

    expected = ["drawn", "<=", str(sizes.links), "<=", str(sizes.demands)]
    assert expected == rows["random-edge"].split()[2:7]
    assert ["4", "6", "8"] == rows["tiny-edge"].split()[2:5]


def test_names_and_ids_are_whole_on_a_narrow_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    assert 0 == main(["envs", "list"])

    assert {"metro-inference", "bwalloc/MetroInference-v1"} <= set(capsys.readouterr().out.split())


def test_a_drawn_environment_is_shown_by_one_of_its_networks(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    network = load_scenario("random-edge").network
    assert 0 == main(["envs", "show", "random-edge"])
    shown = capsys.readouterr().out

    assert "this is network 0 of the train split" in shown
    assert all(name in shown for name in (*network.links.name, *network.demands.name))
    assert 0 == main(["envs", "show", "tiny-edge"])
    assert "draws" not in capsys.readouterr().out


def test_a_broken_file_is_named_and_the_others_are_listed(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "200")
    text = find("tiny-edge").read_text()
    (tmp_path / "mine.toml").write_text(text)
    (tmp_path / "broken.toml").write_text(
        text.replace("capacity_gbps = 12.0", "capacity_gbps = -1")
    )
    code = main(["envs", "list", "--envs", str(tmp_path)])
    shown = capsys.readouterr()

    assert 2 == code
    assert {"mine", "tiny-edge", "metro-inference"} <= set(shown.out.split())
    (line,) = shown.err.splitlines()
    assert line.startswith("bwalloc: ")
    assert "broken.toml" in line
    assert "capacity_gbps" in line


def test_single_failures_are_shown(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert 0 == main(["envs", "show", "tiny-edge"])
    shown = capsys.readouterr().out

    assert "0 of 8 demands keep a tunnel whichever of 3 risk groups fails" in shown
    assert "Worst: hub--cloud cuts off 8." in shown
    assert "No link fails in its episodes." in shown
    row = next(
        line for line in shown.splitlines() if line.strip().startswith("kv_transfer-up/edge-1")
    )
    assert ["1", "1", "0%"] == row.split()[-3:]
    assert 0 == main(["envs", "show", "metro-inference"])
    assert "60 of 60 demands keep a tunnel" in capsys.readouterr().out


def test_what_tenants_were_promised_is_shown_where_anybody_was(capsys, tmp_path):
    text = find("tiny-edge").read_text()
    promise = 'mean_gbps = 3.0\ntenant = "shop"\nfloor_gbps = 1.5\nresidency = ["metro"]'
    (tmp_path / "mine.toml").write_text(
        text.replace("mean_gbps = 3.0", promise) + "\n[failures.cut]\n"
    )
    assert 0 == main(["envs", "show", "mine", "--envs", str(tmp_path)])
    shown = capsys.readouterr().out
    row = next(
        line for line in shown.splitlines() if line.strip().startswith("kv_transfer-up/edge-1")
    )

    assert ["shop", "1.5", "metro"] == row.split()[5:8]
    assert "floor Gbit/s" in shown
    assert "encryption" not in shown
    assert "Links fail in its episodes." in shown
    assert 0 == main(["envs", "show", "tiny-edge"])
    assert "floor Gbit/s" not in capsys.readouterr().out


def test_offers_are_shown_with_their_menus_and_the_first_tier(capsys):
    assert 0 == main(["envs", "show", "enterprise-naas"])
    text = capsys.readouterr().out
    assert "Offers (links above are as wide as the largest tier)" in text
    (row,) = [line for line in text.splitlines() if line.strip().startswith("branch-1--dc ")]
    assert "1 at " in row
    assert "[2 at " in row


def test_what_a_plane_makes_of_rates_is_shown_where_it_makes_something(capsys, tmp_path):
    text = find("tiny-edge").read_text()
    (tmp_path / "mine.toml").write_text(f"{text}\n[enforcement]\nupdate_latency_s = 2.0\n")
    for options in ([], ["--markdown"]):
        assert 0 == main(["envs", "show", "mine", "--envs", str(tmp_path), *options])
        assert "update_latency_s = 2.0" in capsys.readouterr().out
        assert 0 == main(["envs", "show", "tiny-edge", *options])
        assert "come into force" not in capsys.readouterr().out
