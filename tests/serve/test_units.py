"""The units for systemd in the documentation: sound to systemd, and for a command there is."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bwalloc.cli.main import main

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("planes.md", "sidecar.md")
COMMAND = "/opt/bwalloc/bin/bwalloc"


def unit_of(page):
    (unit,) = re.findall(r"```ini\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.S)
    return unit


@pytest.mark.parametrize("page", PAGES)
def test_systemd_complains_of_nothing(page, tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze installed (Debian: systemd)")
    path = tmp_path / "bwalloc.service"
    path.write_text(unit_of(page).replace(COMMAND, sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=yes", str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (0, "") == (done.returncode, done.stdout + done.stderr)


@pytest.mark.parametrize("page", PAGES)
def test_it_can_be_enabled_and_is_started_again(page):
    unit = unit_of(page)

    assert "[Install]\nWantedBy=multi-user.target" in unit
    assert "Restart=always" in unit
    assert "StartLimitIntervalSec=0" in unit[: unit.index("[Service]")]


@pytest.mark.parametrize("page", PAGES)
def test_its_options_are_those_of_the_command(page, capsys):
    (line,) = re.findall(rf"ExecStart={COMMAND} (.*)", unit_of(page))
    name, agent, *rest = line.split()
    assert ("serve", "/var/lib/bwalloc/agent.bwalloc") == (name, agent)
    assert 0 == main(["serve", "--help"])
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))

    assert {word for word in rest if word.startswith("--")} <= known


def test_the_watchdog_of_a_plane_outlives_its_service():
    unit = unit_of("planes.md")

    assert "KillMode=process" in unit
    assert "RuntimeDirectoryPreserve=yes" in unit
