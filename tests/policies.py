"""Policies with random weights, and bundles made of them without torch."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from bwalloc.allocate.policy.decision import OUTPUTS
from bwalloc.allocate.policy.learned import Noting, Policy
from bwalloc.allocate.policy.neural import Architecture, layer_shapes
from bwalloc.observe import TABLES
from bwalloc.scenario import draw_world
from bwalloc.serve import Manifest, write_bundle
from bwalloc.serve.bundles import manifest as part
from bwalloc.serve.bundles.golden import decide_plainly, golden_bytes
from bwalloc.sim.play import play
from bwalloc.tensors import tensors_to_bytes

SMALL = Architecture(hidden=8, rounds=1)
MADE = part.Training(algorithm="apg", steps=1, seconds=1.0, seed=0, command="none", hardware="none")


SEEN = {kind: len(table) for kind, table in TABLES.items()}
PARTS_OF_A_LAYER = {
    "demand.in": (SEEN["demands"], SEEN["globals"]),
    "tunnel.in": (SEEN["tunnels"], SMALL.hidden),
    "link.in": (SEEN["links"],),
    "link.0": (SMALL.hidden,) * 2,
    "tunnel.0": (SMALL.hidden,) * 3,
    "demand.0": (SMALL.hidden,) * 3,
    "demand.out": (SMALL.hidden,),
    "tunnel.out": (SMALL.hidden,),
}
"""Columns of each weight of a `SMALL` policy that a graph holds apart."""


def random_weights(architecture, seed):
    rng, weights = np.random.default_rng(seed), {}
    for name, (rows, columns) in layer_shapes(architecture).items():
        drawn = rng.normal(0, 1, (rows, columns)) / np.sqrt(columns)
        weights[f"{name}.weight"] = drawn.astype(np.float32)
        weights[f"{name}.bias"] = rng.normal(0, 0.2, rows).astype(np.float32)
    return weights


def random_policy(scenario, architecture=SMALL, seed=0):
    weights = random_weights(architecture, seed)
    tuned = {name: dict(scenario.tuned.get(name, {})) for name in ("forecast", "action")}
    return Policy(architecture, weights, tuned)


def graph_of(policy):
    """The ONNX file of a `SMALL` policy: that of `random_policy` with seed 0, as torch exported it,
    its weights replaced. Made by `bwalloc.learn.export.onnx.onnx_of` for tiny-edge."""
    graph = (Path(__file__).parent / "golden" / "policy-small.onnx").read_bytes()
    old, new = random_weights(SMALL, 0), policy.weights
    for name, parts in PARTS_OF_A_LAYER.items():
        ends = np.cumsum(parts)
        for first, end in zip(ends - parts, ends, strict=True):
            columns = slice(int(first), int(end))
            graph = replaced(
                graph, old[f"{name}.weight"][:, columns], new[f"{name}.weight"][:, columns]
            )
        graph = replaced(graph, old[f"{name}.bias"], new[f"{name}.bias"])
    return graph


def replaced(graph, old, new):
    assert 1 == graph.count(old.tobytes()), "export tests/golden/policy-small.onnx again"
    return graph.replace(old.tobytes(), new.tobytes())


def decisions(scenario, policy, count=4):
    rule = Noting(scenario.network, policy)
    play(scenario, rule, [draw_world(scenario, "validation", 0)])
    return rule.noted[:: len(rule.noted) // count][:count]


def parts_of(scenario, policy):
    """Parts of a bundle of a `SMALL` policy; its decisions are NumPy's."""
    given = [one | decide_plainly(policy, one) for one in decisions(scenario, policy)]
    assert set(OUTPUTS) <= set(given[0])
    return {
        part.ONNX: graph_of(policy),
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


def write_agent(folder, scenario, policy=None, *, onnx=None, **changes):
    policy = policy or random_policy(scenario)
    parts = parts_of(scenario, policy)
    parts[part.ONNX] = parts[part.ONNX] if onnx is None else onnx
    write_bundle(folder, manifest_of(scenario, policy, parts, **changes), parts)
    return folder
