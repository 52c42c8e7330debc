"""mobile-env beside ours, in a Python of its own: it pins packages that ours does not."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from bwalloc.errors import BwallocError

ENVIRONMENT = "mobile-medium-central-v0"
SCRIPT = """
import json, sys, time
import gymnasium, mobile_env
from importlib.metadata import version
env = gymnasium.make(sys.argv[1])
env.reset(seed=0)
env.action_space.seed(0)
actions = [env.action_space.sample() for _ in range(100)]
done, begin, cpu = 0, time.perf_counter(), time.process_time()
while time.perf_counter() - begin < float(sys.argv[2]):
    if any(env.step(actions[done % 100])[2:4]):
        env.reset()
    done += 1
wall = time.perf_counter() - begin
print(json.dumps({"version": version("mobile-env"), "steps_per_s": done / wall,
                  "cpu_us": 1e6 * (time.process_time() - cpu) / done}))
"""


def mobile_env_speed(python: Path, seconds: float) -> dict[str, Any]:
    """Steps per second of one `mobile-medium-central-v0` under random actions.

    Args:
        python: an interpreter with `mobile-env` installed.
        seconds: length of the measurement.

    Raises:
        BwallocError: The interpreter is not there, or has no mobile-env.
    """
    command = [str(python), "-W", "ignore", "-c", SCRIPT, ENVIRONMENT, str(seconds)]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        msg = f"--mobile-python {python}: there is no such file."
        raise BwallocError(msg) from None
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no message"])[-1]
        msg = f"--mobile-python {python}: mobile-env does not run there ({last})."
        raise BwallocError(msg) from None
    return {"env": ENVIRONMENT, **json.loads(ran.stdout.splitlines()[-1])}
