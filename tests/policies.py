"""Policies with random weights, and bundles made of them without torch."""

import json
from dataclasses import asdict

import numpy as np

from bwalloc.allocate.decision import OUTPUTS
from bwalloc.allocate.learned import Noting, Policy
from bwalloc.allocate.neural import Architecture, layer_shapes
from bwalloc.scenario import draw_world
from bwalloc.serve import Manifest, write_bundle
from bwalloc.serve import manifest as part
from bwalloc.serve.golden import decide_plainly, golden_bytes
from bwalloc.sim.play import play
from bwalloc.tensors import tensors_to_bytes

SMALL = Architecture(hidden=8, rounds=1)
MADE = part.Training(algorithm="apg", steps=1, seconds=1.0, seed=0, command="none", hardware="none")


def random_policy(scenario, architecture=SMALL, seed=0):
    rng, weights = np.random.default_rng(seed), {}
    for name, (rows, columns) in layer_shapes(architecture).items():
        drawn = rng.normal(0, 1, (rows, columns)) / np.sqrt(columns)
        weights[f"{name}.weight"] = drawn.astype(np.float32)
        weights[f"{name}.bias"] = rng.normal(0, 0.2, rows).astype(np.float32)
    tuned = {name: dict(scenario.tuned.get(name, {})) for name in ("forecast", "action")}
    return Policy(architecture, weights, tuned)


def decisions(scenario, policy, count=4):
    rule = Noting(scenario.network, policy)
    play(scenario, rule, [draw_world(scenario, "validation", 0)])
    return rule.noted[:: len(rule.noted) // count][:count]


def parts_of(scenario, policy):
    """Parts of a bundle that were decided by NumPy; its ONNX file is empty."""
    given = [one | decide_plainly(policy, one) for one in decisions(scenario, policy)]
    assert set(OUTPUTS) <= set(given[0])
    return {
        part.ONNX: b"",
        part.WEIGHTS: tensors_to_bytes(policy.weights),
        part.GOLDEN: golden_bytes(given),
        part.ARCHITECTURE: json.dumps(asdict(policy.architecture)).encode(),
        part.RECIPE: b"",
        part.CARD: b"a card\n",
    }


def manifest_of(scenario, policy, parts, **changes):
    made = {
        "schema": 1,
        "name": "test-agent",
        "environment": scenario.id,
        "digest": scenario.digest,
        "features": part.feature_hash(),
        "tuned": policy.tuned,
        "training": MADE,
        "files": {name: part.entry_of(data) for name, data in parts.items()},
        **asdict(policy.architecture),
    }
    return Manifest(**{**made, **changes})


def write_agent(folder, scenario, policy=None, *, onnx=b"", **changes):
    policy = policy or random_policy(scenario)
    parts = {**parts_of(scenario, policy), part.ONNX: onnx}
    write_bundle(folder, manifest_of(scenario, policy, parts, **changes), parts)
    return folder
