"""`import bwalloc` stays light."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {
    "matplotlib",
    "numba",
    "pandas",
    "scipy",
    "stable_baselines3",
    "starlette",
    "torch",
    "uvicorn",
}


def test_import_loads_nothing_heavy():
    code = "import sys, bwalloc; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )

    assert set() == HEAVY & set(done.stdout.split())
