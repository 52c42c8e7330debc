"""The wheel holds the package, its catalogue, and nothing else."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHELVES = ("envs", "agents")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_top_level_names_are_the_package_and_its_metadata(wheel):
    top = {name.split("/")[0] for name in wheel.namelist()}

    assert {"bwalloc", "bwalloc-0.1.0.dist-info"} == top


@pytest.mark.parametrize("shelf", SHELVES)
def test_catalogue_equals_the_checkout_file_by_file(wheel, shelf):
    prefix = f"bwalloc/catalogue/{shelf}/"
    shipped = {
        name.removeprefix(prefix): wheel.read(name)
        for name in wheel.namelist()
        if name.startswith(prefix)
    }
    in_checkout = {
        path.relative_to(ROOT / shelf).as_posix(): path.read_bytes()
        for path in (ROOT / shelf).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert in_checkout == shipped


def test_wheel_says_it_is_typed(wheel):
    assert "bwalloc/py.typed" in wheel.namelist()


def test_wheel_carries_every_module_of_the_checkout(wheel):
    in_checkout = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "bwalloc").rglob("*.py")
        if "__pycache__" not in path.parts
    }
    shipped = {name for name in wheel.namelist() if name.endswith(".py")}

    assert in_checkout == shipped
