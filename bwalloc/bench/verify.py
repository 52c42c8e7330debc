"""Whether every runtime of a bundle decides alike, and how long it takes beside two rules."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from bwalloc.allocate.policy.decision import TOPOLOGY, input_names, output_names
from bwalloc.bench.tasks import history_of
from bwalloc.bench.timing import decide_ms
from bwalloc.errors import BundleError
from bwalloc.observe import usual_day
from bwalloc.scenario import draw_world
from bwalloc.serve.bundles.golden import TOLERANCE, decide_plainly, difference, golden_decisions
from bwalloc.serve.bundles.manifest import GOLDEN, ONNX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bwalloc.scenario import Scenario
    from bwalloc.serve import Bundle

RIVALS = ("max-min", "last-value-lp")
"""Rules whose decisions are timed beside: the cheapest that adapts, and an LP that starts warm."""
DECISIONS = 200
Arrays = dict[str, np.ndarray]


@dataclass
class Verification:
    """What was found.

    Attributes:
        difference: the largest difference of each runtime from the exported policy, in the unit
            of `TOLERANCE`, by runtime.
        decisions: how many decisions were held against each other.
        reference: what the differences are from.
        p50_ms: median time of a decision of one network on one thread, by who decides.
    """

    decisions: int
    reference: str
    difference: dict[str, float] = field(default_factory=dict[str, float])
    p50_ms: dict[str, float] = field(default_factory=dict[str, float])

    @property
    def is_right(self) -> bool:
        """Whether every runtime is within `TOLERANCE`."""
        return all(found <= TOLERANCE for found in self.difference.values())


def verify(bundle: Bundle, scenario: Scenario, number: int = 1000) -> Verification:
    """Hold the runtimes of a bundle against each other and time them.

    With torch, on `number` real decisions of validation episodes; without, on the golden vectors.

    Args:
        bundle: what was loaded, and so has reproduced its golden vectors.
        scenario: the environment it decides for.
        number: how many decisions.
    """
    expected, reference = _expected(bundle, scenario, number)
    runtimes: dict[str, Callable[[Arrays], Mapping[str, np.ndarray]]] = {
        "numpy": lambda given: decide_plainly(bundle.policy, given)
    }
    if find_spec("onnxruntime"):
        runtimes["onnxruntime"] = _onnx_runtime(bundle)
    result = Verification(len(expected), reference)
    for name, decide in runtimes.items():
        found = [difference(decide(one), one, one["capacity_gbps"]) for one in expected]
        result.difference[name] = float(np.max(found))  # `max` would lose what is NaN
    result.p50_ms = _timed(bundle, scenario, runtimes, expected[0])
    return result


def _expected(bundle: Bundle, scenario: Scenario, number: int) -> tuple[Sequence[Arrays], str]:
    if find_spec("torch"):
        from bwalloc.learn.export.decisions import decisions_of

        return decisions_of(scenario, bundle.policy, number), "torch"
    spans = bundle.policy.architecture.spans
    stored = golden_decisions(bundle.parts[GOLDEN], f"{bundle.path}/{GOLDEN}", spans=spans)
    batch = stored["capacity_gbps"].shape[-1]
    apart = [
        {
            name: values if name in TOPOLOGY else np.ascontiguousarray(values[..., row : row + 1])
            for name, values in stored.items()
        }
        for row in range(batch)
    ]
    return apart, "golden vectors"


def _onnx_runtime(bundle: Bundle) -> Callable[[Arrays], Mapping[str, np.ndarray]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(
            bundle.parts[ONNX], options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime raises classes of its own, one per cause
        msg = f"{bundle.path}/{ONNX}: onnxruntime cannot load it ({error})."
        raise BundleError(msg) from None

    spans = bundle.policy.architecture.spans
    asked, answered = input_names(spans=spans), output_names(spans=spans)

    def decide(given: Arrays) -> Mapping[str, np.ndarray]:
        try:
            outputs: Any = session.run(list(answered), {name: given[name] for name in asked})
        except Exception as error:  # as above; ValueError where inputs have other names
            msg = f"{bundle.path}/{ONNX}: onnxruntime cannot run it ({error})."
            raise BundleError(msg) from None
        return dict(zip(answered, outputs, strict=True))

    return decide


def _timed(
    bundle: Bundle,
    scenario: Scenario,
    runtimes: Mapping[str, Callable[[Arrays], Mapping[str, np.ndarray]]],
    given: Arrays,
) -> dict[str, float]:
    """Median milliseconds; features are part of the agent's decision, not of onnxruntime's."""
    from bwalloc.allocate import make_rule

    world, history = draw_world(scenario, "validation", 0), history_of(scenario)
    rules = {name: make_rule(name, scenario.network, history, scenario.tuned) for name in RIVALS}
    spent = {
        name: decide_ms(scenario, rule, world, DECISIONS)["p50"]
        for name, rule in {
            bundle.name: bundle.rule(scenario.network, usual_day(scenario)),
            **rules,
        }.items()
    }
    if "onnxruntime" in runtimes:
        times: list[float] = []
        for _ in range(DECISIONS):
            begin = time.perf_counter()
            runtimes["onnxruntime"](given)
            times.append(1e3 * (time.perf_counter() - begin))
        spent[f"{bundle.name} (onnxruntime, without features)"] = float(np.median(times))
    return spent
