"""Hammer a sidecar with hot swaps: no request may fail, and no deployment number may fall.

    python benchmarks/hammer.py [--seconds 60] [--clients 4] [--swaps 20] [--json FILE]

Starts `bwalloc serve metro-inference --env metro-inference` as a process of its own. Every client
has one connection and sends fresh telemetry as fast as it is answered. Meanwhile two bundles are
swapped in turn, evenly over the time, and a broken one is offered once. Exits with 1 where a
request failed, a number fell, a good bundle was refused or the broken one was not. Clients and
sidecar share this machine, so the throughput is a lower bound.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from bwalloc.control import Decision, from_json, to_json
from bwalloc.provenance import commit, machine, versions
from bwalloc.scenario import load_scenario
from bwalloc.serve import load_bundle, write_bundle
from bwalloc.serve.http.example import example_telemetry

AGENT = ENV = "metro-inference"
RESULTS = Path(__file__).parent / "results" / "hammer.json"
BROKEN = "broken"
JSON = {"Content-Type": "application/json"}
MAIN = "import sys; from bwalloc.cli import main; sys.exit(main(sys.argv[1:]))"


@dataclass
class Client:
    """What one connection saw."""

    taken_s: list[float] = field(default_factory=list)
    deployments: list[int] = field(default_factory=list)
    sources: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def hammer(self, port: int, ends_at: float) -> None:
        """Send telemetry until the time is over."""
        network = load_scenario(ENV).network
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while time.monotonic() < ends_at:
            body = to_json(example_telemetry(network, datetime.now(UTC)))
            begun = time.perf_counter()
            try:
                connection.request("POST", "/v1/decide", body, JSON)
                answer = connection.getresponse()
                data = answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
                continue
            self.taken_s.append(time.perf_counter() - begun)
            if answer.status != 200:
                self.failures.append(f"{answer.status}: {data[:200]!r}")
                continue
            self.sources[from_json(Decision, data).source] += 1
            self.deployments.append(int(answer.headers["Bwalloc-Deployment"]))
        connection.close()

    @property
    def is_monotone(self) -> bool:
        """No number is below the one before it."""
        return all(now >= before for before, now in pairwise(self.deployments))


def main() -> int:
    """Hammer, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--swaps", type=int, default=20)
    parser.add_argument("--json", type=Path, default=RESULTS)
    given = parser.parse_args()
    busy = round(os.getloadavg()[0], 2)
    with tempfile.TemporaryDirectory() as folder:
        stock(Path(folder))
        found = hammered(Path(folder), given.seconds, given.clients, given.swaps)
    command = f"python benchmarks/hammer.py --seconds {given.seconds:g} --clients {given.clients}"
    whole = {
        "command": f"{command} --swaps {given.swaps}",
        "commit": commit(),
        "machine": machine(),
        "load_average_before": busy,
        "versions": versions("bwalloc", "numpy", "onnxruntime", "fastapi", "uvicorn"),
        **found,
    }
    given.json.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))
    return 0 if is_well(found, given.swaps) else 1


def stock(folder: Path) -> None:
    """Two good bundles of one policy under two names, and one whose weights were changed."""
    bundle = load_bundle(AGENT)
    for name in ("good-a", "good-b", BROKEN):
        manifest = bundle.manifest.model_copy(update={"name": name})
        write_bundle(folder / name, manifest, bundle.parts)
    weights = folder / BROKEN / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)


def hammered(folder: Path, seconds: float, clients: int, swaps: int) -> dict[str, Any]:
    """Play it once; returns the figures."""
    line = [sys.executable, "-c", MAIN, "serve", AGENT, "--env", ENV, "--port", "0"]
    line += ["--bundles", str(folder)]
    sidecar = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    try:
        assert sidecar.stdout
        port = int(re.findall(r":(\d+) ", sidecar.stdout.readline())[0])
        crowd = [Client() for _ in range(clients)]
        ends_at = time.monotonic() + seconds
        threads = [threading.Thread(target=one.hammer, args=(port, ends_at)) for one in crowd]
        for thread in threads:
            thread.start()
        swapped, taken_s, refusal = swap_in_turn(port, seconds, swaps)
        for thread in threads:
            thread.join()
        sidecar.terminate()
        code = sidecar.wait(30)
    finally:
        sidecar.kill()
        sidecar.wait()
    return figures(crowd, seconds) | {
        "swaps": swapped,
        "swap_ms": quantiles(taken_s),
        "bad_bundle": refusal,
        "exit_code": code,
    }


def swap_in_turn(port: int, seconds: float, swaps: int) -> tuple[int, list[float], str]:
    """Swaps that were made, what each took, and what was said of the broken bundle."""
    names = ["good-a", "good-b"] * swaps
    order = [*names[: swaps // 2], BROKEN, *names[swaps // 2 : swaps]]
    made, taken_s, refusal, start = 0, [], "", time.monotonic()
    for turn, name in enumerate(order):
        time.sleep(max(0.0, start + 0.9 * seconds * (turn + 0.5) / len(order) - time.monotonic()))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        begun = time.perf_counter()
        connection.request("POST", "/v1/swap", json.dumps({"bundle": name}), JSON)
        answer = connection.getresponse()
        said = json.loads(answer.read())
        connection.close()
        if name == BROKEN:
            refusal = f"{answer.status}: {Path(said['detail'].split(': ')[0]).name}" + (
                f": {said['detail'].split(': ', 1)[1]}"
            )
        elif answer.status == 200:
            made += 1
            taken_s.append(time.perf_counter() - begun)
    return made, taken_s, refusal


def figures(crowd: list[Client], seconds: float) -> dict[str, Any]:
    """What all clients saw together."""
    taken_s = [taken for client in crowd for taken in client.taken_s]
    failures = [failure for client in crowd for failure in client.failures]
    sources = sum((client.sources for client in crowd), Counter[str]())
    return {
        "seconds": seconds,
        "clients": len(crowd),
        "requests": len(taken_s) + len(failures),
        "failed": len(failures),
        "failures": failures[:5],
        "is_monotone": all(client.is_monotone for client in crowd),
        "last_deployment": max(number for client in crowd for number in client.deployments),
        "requests_per_s": round(len(taken_s) / seconds, 1),
        "answer_ms": quantiles(taken_s),
        "sources": dict(sources),
    }


def quantiles(taken_s: list[float]) -> dict[str, float]:
    """Milliseconds."""
    if not taken_s:
        return {}
    p50, p99, most = (float(np.quantile(taken_s, share)) for share in (0.5, 0.99, 1.0))
    return {"p50": round(1e3 * p50, 2), "p99": round(1e3 * p99, 2), "max": round(1e3 * most, 2)}


def is_well(found: dict[str, Any], swaps: int) -> bool:
    """Whether it showed what it shall show."""
    return (
        found["failed"] == 0
        and found["is_monotone"]
        and found["swaps"] == swaps
        and found["last_deployment"] == swaps + 1
        and found["bad_bundle"].startswith("422")
        and found["exit_code"] == 0
    )


if __name__ == "__main__":
    sys.exit(main())
