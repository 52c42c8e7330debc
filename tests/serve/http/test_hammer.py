"""The hammer of benchmarks/, for a few seconds: nothing fails while bundles are swapped."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HAMMER = Path(__file__).resolve().parents[3] / "benchmarks" / "hammer.py"


@pytest.mark.slow
def test_no_request_fails_while_bundles_are_swapped(tmp_path):
    line = [sys.executable, str(HAMMER), "--seconds", "5", "--swaps", "4"]
    done = subprocess.run([*line, "--json", str(tmp_path / "hammer.json")], check=False)
    found = json.loads((tmp_path / "hammer.json").read_text())

    assert 0 == done.returncode, found
    assert 0 == found["failed"]
    assert found["is_monotone"]
    assert (4, 5) == (found["swaps"], found["last_deployment"])
    assert found["bad_bundle"].startswith("422: weights.safetensors")
    assert found["requests"] > 50
