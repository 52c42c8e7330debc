"""`bwalloc serve --plane`: what goes together, and slips told before anything is touched."""

import pytest

from bwalloc.cli import main

SERVE = ["serve", "metro-inference", "--env", "tiny-edge", "--port", "0", "--runtime", "numpy"]


@pytest.mark.parametrize(
    "options",
    [["--plane", "htb"], ["--plane-file", "plane.toml"], ["--plane", "none", "--plane-file", "x"]],
)
def test_a_plane_and_its_file_go_together(options, capsys):
    assert 0 != main([*SERVE, *options])
    assert "--plane htb and --plane-file FILE go together" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_named(capsys):
    assert 0 != main([*SERVE, "--plane", "htb", "--plane-file", "nowhere.toml"])
    assert "nowhere.toml: cannot be read" in capsys.readouterr().err


def test_a_plane_that_is_not_known_is_refused(capsys):
    assert 0 != main([*SERVE, "--plane", "ovs", "--plane-file", "plane.toml"])
    shown = capsys.readouterr()
    assert "htb" in shown.err + shown.out
