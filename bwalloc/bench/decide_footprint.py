"""What serving takes before and with its first decision: seconds and memory, in fresh processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np

from bwalloc.bench.decide_process import in_fresh_process

REPEATS = 3
"""Processes per way, after one that brings the files into memory; medians are kept."""
BEGIN = """
import time
found, begun = {}, time.perf_counter()
def lap(name):
    global begun
    now = time.perf_counter()
    found[name], begun = now - begun, now
"""
END = """
try:
    lines = open("/proc/self/status").read().splitlines()
    peak_mib = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
except OSError:
    import resource
    unit = 1 if sys.platform == "darwin" else 1024
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
print(json.dumps([found, peak_mib]))
"""
SERVED = """
runtime, agent, env = given
from datetime import datetime, timezone
import numpy as np
import bwalloc
from bwalloc.control import DemandTelemetry, LinkTelemetry, Telemetry
from bwalloc.serve import load_bundle
lap("import")
from bwalloc.scenario import load_scenario
network = load_scenario(env).network
lap("network")
bundle = load_bundle(agent)
lap("load")
supervisor = bundle.bind(network, runtime=runtime)
lap("bind")
load, links = np.ones(network.n_demands), network.links
demands = DemandTelemetry(
    network.demands.name, load, load, load, load, load, load[:, None], load, load
)
width = links.capacity_gbps
state = LinkTelemetry(links.name, width, width, (True,) * len(width))
record = Telemetry(datetime.now(timezone.utc), network.interval_s, demands, state)
begun = time.perf_counter()
source = supervisor.decide(record).source
lap("first decision")
assert source == "policy", source
"""


class Way(NamedTuple):
    """A way to be ready; it takes the packages of `needs`, and those of `without` are hidden."""

    code: str
    runtime: str = ""
    needs: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


WAYS: Mapping[str, Way] = {
    "NumPy": Way("import numpy\nlap('import')"),
    "served, NumPy": Way(SERVED, "numpy", (), ("numba", "onnxruntime")),
    "served, NumPy, numba": Way(SERVED, "numpy", ("numba",), ("onnxruntime",)),
    "served, onnxruntime": Way(SERVED, "onnx", ("onnxruntime",), ("numba",)),
    "served, onnxruntime, numba": Way(SERVED, "auto", ("onnxruntime", "numba")),
    "torch": Way("import torch\nlap('import')", "", ("torch",)),
}
"""By name; the last of those that serve has everything, and the faster runtime decides."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """One way: seconds by step, all of them together, and the peak of the resident set.

    `seconds` of "import" begin after Python itself has started.
    """

    way: str
    seconds: Mapping[str, float]
    total_s: float
    peak_mib: float


def footprints(
    agent: str, env: str, repeats: int = REPEATS, ways: Mapping[str, Way] = WAYS
) -> Iterator[Footprint]:
    """Every way whose packages are installed.

    Args:
        agent: name or place of a bundle.
        env: name or path of the environment whose network it is bound to.
        repeats: processes per way that count.
        ways: to be ready, by name.

    Raises:
        BwallocError: One of them failed.
    """
    for name, way in ways.items():
        if all(find_spec(package) for package in way.needs):
            yield _measured(name, way, agent, env, repeats)


def _measured(name: str, way: Way, agent: str, env: str, repeats: int) -> Footprint:
    arguments: Sequence[str] = (way.runtime, agent, env)
    code = f"{BEGIN}{way.code}{END}"
    runs = [in_fresh_process(code, *arguments, without=way.without) for _ in range(repeats + 1)]
    steps = [found for found, _ in runs[1:]]
    seconds = {step: float(np.median([each[step] for each in steps])) for step in steps[0]}
    peak = float(np.median([peak for _, peak in runs[1:]]))
    return Footprint(name, seconds, sum(seconds.values()), peak)
