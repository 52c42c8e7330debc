"""What docs/embedding shows works: the loop in Python, and the golden vectors in C."""

import importlib.util
import os
import subprocess
from collections import Counter
from pathlib import Path
from shutil import which

import numpy as np
import pytest
from policies import write_agent

from bwalloc.control import from_json, to_json
from bwalloc.scenario import draw_world, load_scenario
from bwalloc.serve import ReplayClock, list_agents, load_bundle
from bwalloc.serve.bundles import manifest as part
from bwalloc.sim import Episodes, Simulator
from bwalloc.sim.telemetry import telemetry_of
from bwalloc.tensors import tensors_from_bytes, tensors_to_bytes

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs" / "embedding"
INTERVALS, MISSING = 40, (12, 13)


@pytest.fixture(scope="module")
def scenario():
    return load_scenario("tiny-edge", {"time.intervals": INTERVALS})


def example():
    spec = importlib.util.spec_from_file_location("controller", DOCS / "controller.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Plane:
    """A network that is simulated, measured, and programmed one rate at a time."""

    def __init__(self, scenario):
        self.network, self.simulator = scenario.network, Simulator(scenario)
        self.episodes = Episodes([draw_world(scenario, "test", 0)])
        self.rows = {name: row for row, name in enumerate(self.network.demands.name)}
        self.rates = np.zeros((*self.network.tunnels.exists.shape, 1), np.float32)
        self.programmed, self.orders, self.served_gbit = Counter(), [], 0.0
        self.highest = 0.0

    def measured(self):
        state = self.simulator.start(1)
        readings = self.simulator.first_readings(state, self.episodes)
        for interval in range(INTERVALS):
            yield None if interval in MISSING else telemetry_of(self.network, readings)
            step = self.simulator.step(state, self.rates, self.episodes)
            state, readings = step.state, step.readings
            self.served_gbit += float(readings.served_gbit.sum())

    def program(self, demand, tunnel, gbps):
        assert gbps != self.rates[self.rows[demand], tunnel, 0], "nothing changed"
        self.rates[self.rows[demand], tunnel, 0] = gbps
        self.programmed[demand, tunnel] += 1
        hops = self.network.flat_hops
        load = np.zeros(self.network.n_links + 1)
        np.add.at(load, hops.ravel(), np.repeat(self.rates.ravel(), hops.shape[1]))
        filled = load[:-1] / self.network.links.capacity_gbps
        self.highest = max(self.highest, float(filled.max()))

    def order(self, span, tier_gbps):
        self.orders.append((span, tier_gbps))


def test_the_loop_of_a_controller_keeps_a_simulated_network_going(scenario, tmp_path):
    plane = Plane(scenario)
    bundle = load_bundle(write_agent(tmp_path / "agent.bwalloc", scenario))
    supervisor = bundle.bind(scenario.network, clock=ReplayClock())
    example().control(supervisor, plane.measured(), plane.program, plane.order)
    status = supervisor.status()

    assert INTERVALS == sum(status.ladder.decisions.values())
    assert len(MISSING) == status.ladder.reasons["telemetry-missing"]
    assert INTERVALS - len(MISSING) == status.ladder.decisions["policy"]
    assert plane.highest <= 1 + 1e-5  # at every moment, in the middle of an update too
    assert plane.served_gbit > 0
    assert set(plane.rows) == {demand for demand, _ in plane.programmed}
    assert [] == plane.orders
    assert status.is_closed


def test_telemetry_may_come_as_json(scenario, tmp_path):
    bundle = load_bundle(write_agent(tmp_path / "agent", scenario))
    first = next(Plane(scenario).measured())
    by_record, by_text = (
        bundle.bind(scenario.network, clock=ReplayClock()).decide(telemetry)
        for telemetry in (first, from_json(type(first), to_json(first)))
    )

    np.testing.assert_array_equal(by_record.rates_gbps, by_text.rates_gbps)


def test_the_loop_is_short():
    code = (DOCS / "controller.py").read_text().partition('    """\n    held')[2]

    assert 0 < len(code.splitlines()) <= 30


REAL_HEADERS = [
    *(Path(each) for each in [os.environ.get("ORT_INCLUDE", "")] if each),
    *(Path(root, "include", "onnxruntime") for root in ("/usr", "/usr/local", "/opt/onnxruntime")),
    Path("/opt/onnxruntime/include"),
]
"""ORT_INCLUDE names the folder of onnxruntime_c_api.h where it lies elsewhere."""
FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror")


FOUND = [path for path in REAL_HEADERS if (path / "onnxruntime_c_api.h").is_file()]
INCLUDES = {"ours": HERE / "onnxruntime_abi"} | ({"theirs": FOUND[0]} if FOUND else {})


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A folder with libonnxruntime.so under the names a release gives it."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime comes with bwalloc[serve]")
    shipped = sorted(Path(onnxruntime.__file__).parent.glob("capi/libonnxruntime.so*"))
    if not shipped:
        pytest.skip("this wheel of onnxruntime ships no libonnxruntime.so; 1.32 for Linux does")
    folder = tmp_path_factory.mktemp("lib")
    for name in ("libonnxruntime.so", "libonnxruntime.so.1"):
        (folder / name).symlink_to(shipped[0])
    return folder


def compiled(folder, include, library):
    program = folder / "golden"
    sources = (DOCS / "c" / "golden.c", DOCS / "c" / "tensors.c")
    linked = (f"-L{library}", "-lonnxruntime", f"-Wl,-rpath,{library}", "-lm")
    command = ["gcc", *FLAGS, "-isystem", include, *sources, *linked, "-o", program]
    subprocess.run(command, check=True)
    return program


@pytest.fixture(scope="module", params=INCLUDES)
def golden(request, tmp_path_factory, library):
    """The C program, compiled with our declarations, and with the real header if there is one."""
    if which("gcc") is None:
        pytest.skip("gcc is not installed")
    return compiled(tmp_path_factory.mktemp("golden"), INCLUDES[request.param], library)


@pytest.mark.parametrize("name", list_agents())
def test_c_decides_the_golden_vectors_of_shipped_agents(golden, name):
    done = subprocess.run([golden, list_agents()[name]], capture_output=True, text=True)

    assert "" == done.stderr
    assert done.stdout.startswith("32 decisions, largest difference ")
    assert float(done.stdout.split()[-1]) <= 1e-5
    assert 0 == done.returncode


@pytest.mark.parametrize("name", ["rates_gbps", "action"])
@pytest.mark.parametrize("change", [2e-3, np.nan])
def test_c_finds_one_wrong_number(golden, scenario, tmp_path, name, change):
    folder = write_agent(tmp_path / "agent", scenario)
    stored = tensors_from_bytes((folder / part.GOLDEN).read_bytes(), "here")
    stored[name][0, 0, 0] += change
    (folder / part.GOLDEN).write_bytes(tensors_to_bytes(stored))
    done = subprocess.run([golden, folder], capture_output=True, text=True)

    assert (1, "") == (done.returncode, done.stderr)


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        (part.GOLDEN, b"", "cannot be read"),
        (part.GOLDEN, b"\xff" * 100, "is cut off"),
        (part.GOLDEN, b"\x02" + bytes(7) + b"{}", "capacity_gbps: is not in the file"),
        (part.ONNX, b"no graph", "onnxruntime: "),
    ],
)
def test_c_says_what_it_cannot_read(golden, scenario, tmp_path, name, data, text):
    folder = write_agent(tmp_path / "agent", scenario)
    (folder / name).write_bytes(data)
    done = subprocess.run([golden, folder], capture_output=True, text=True)

    assert 2 == done.returncode
    assert text in done.stderr


USED = (
    "GetErrorMessage", "CreateEnv", "CreateSessionFromArray", "Run", "CreateSessionOptions",
    "SetIntraOpNumThreads", "SetInterOpNumThreads", "CreateTensorWithDataAsOrtValue",
    "GetTensorMutableData", "CreateCpuMemoryInfo", "ReleaseEnv", "ReleaseStatus",
    "ReleaseMemoryInfo", "ReleaseSession", "ReleaseValue", "ReleaseSessionOptions",
)  # fmt: skip


@pytest.mark.skipif(which("gcc") is None, reason="gcc is not installed")
@pytest.mark.skipif(
    "theirs" not in INCLUDES,
    reason="no onnxruntime_c_api.h here: set ORT_INCLUDE to its folder in a release of onnxruntime",
)
def test_functions_are_declared_where_the_real_header_has_them(tmp_path):
    places = {name: offsets(tmp_path, include) for name, include in INCLUDES.items()}

    assert places["ours"] == places["theirs"]


def offsets(folder, include):
    lines = "".join(f'printf("{name} %zu\\n", offsetof(OrtApi, {name}));' for name in USED)
    source, program = folder / "offsets.c", folder / "offsets"
    source.write_text(
        "#include <stdio.h>\n#include <stddef.h>\n#include <onnxruntime_c_api.h>\n"
        f"int main(void) {{ {lines} return 0; }}\n"
    )
    subprocess.run(["gcc", "-isystem", include, source, "-o", program], check=True)
    return subprocess.run([program], check=True, capture_output=True, text=True).stdout
