"""Runtimes: what computes the decision of a policy, onnxruntime or NumPy; their answers agree."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import numpy as np

from bwalloc.allocate.decode import Ask, Decoder
from bwalloc.allocate.policy.correction import Correction
from bwalloc.allocate.policy.decision import (
    ASKED,
    FEATURES,
    OUTPUTS,
    SPAN_OUTPUTS,
    TOPOLOGY,
    input_names,
)
from bwalloc.allocate.policy.neural import Graph, act, act_spans, embed
from bwalloc.errors import BundleError, unknown_name
from bwalloc.serve.bundles.golden import NO_ROOM_GBPS, TOLERANCE, golden_decisions
from bwalloc.serve.bundles.manifest import GOLDEN, ONNX

if TYPE_CHECKING:
    from bwalloc.control import Order
    from bwalloc.network import Network
    from bwalloc.serve.bundles.bundle import Bundle

RuntimeName = Literal["auto", "onnx", "numpy"]
Given = Mapping[str, np.ndarray]
"""Inputs of one decision by the names of `input_names`, B = 1."""
TRIALS = 3
"""Inferences a runtime is timed by, after one to warm up."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a policy answers: rates in Gbit/s (demands, tunnels), and orders.

    Of a runtime: what orders are made from, (spans, 2, 1), if the policy sees spans.
    """

    rates_gbps: np.ndarray
    orders: Sequence[Order] = ()
    about_spans: np.ndarray | None = None


class Runtime(Protocol):
    """Computes decisions; keeps nothing from one to the next, so threads may share it."""

    name: str

    def __call__(self, given: Given) -> Proposal:
        """The answer to the inputs of one decision."""
        ...


class NumpyRuntime:
    """The policy network and `decode` on NumPy (`decode` compiled where numba is installed)."""

    name = "numpy"

    def __init__(self, bundle: Bundle, network: Network) -> None:
        """Prepare for one network: the incidence is sorted once."""
        self._policy, self._graph = bundle.policy, Graph.of(network)
        self._decoded = _Decoded(bundle, network)

    def __call__(self, given: Given) -> Proposal:
        """Rates, float32, and the answer about spans."""
        weights, graph, architecture = self._policy.weights, self._graph, self._policy.architecture
        kinds = (*FEATURES, "spans") if architecture.spans else FEATURES
        embedding = embed(weights, {kind: given[kind] for kind in kinds}, graph, architecture)
        about = act_spans(weights, embedding)
        return self._decoded(given, act(weights, embedding, graph), about)


class _Decoded:
    """What `decode` makes of an action on one network, floors reserved."""

    def __init__(self, bundle: Bundle, network: Network) -> None:
        self._correction = Correction(bundle.policy.tuned.get("action", {}))
        self._decoder = Decoder(network)

    def __call__(
        self, given: Given, action: np.ndarray, about_spans: np.ndarray | None
    ) -> Proposal:
        ask = Ask(*(given[name] for name in ASKED))
        rates = self._decoder(self._correction(ask, action), given["capacity_gbps"])
        return Proposal(rates[:, :, 0], about_spans=about_spans)


class OnnxRuntime:
    """The exported graph under onnxruntime, one thread, memory given back after large decisions.

    The graph knows no floors. Where the network has some, the action is taken from it and `decode`
    reserves them, as in training; else everything comes from the graph.
    """

    name = "onnx"

    def __init__(self, bundle: Bundle, network: Network) -> None:
        """Load the graph, and decide the golden vectors with it.

        Raises:
            BundleError: onnxruntime is not installed, cannot load the graph, or decides otherwise.
        """
        where = f"{bundle.path}/{ONNX}"
        self._session = _session(bundle.parts[ONNX], where)
        self._spans = bundle.policy.architecture.spans
        self._inputs = input_names(spans=self._spans)
        self._check_golden(bundle, where)
        self._decoded = _Decoded(bundle, network) if network.demands.floor_gbps.any() else None

    def __call__(self, given: Given) -> Proposal:
        """Rates, float32, and the answer about spans."""
        rates, action = OUTPUTS
        wanted = rates if self._decoded is None else action
        first, *about = self._run((wanted, *(SPAN_OUTPUTS if self._spans else ())), given)
        about_spans = about[0] if about else None
        if self._decoded is not None:
            return self._decoded(given, first, about_spans)
        return Proposal(first[:, :, 0], about_spans=about_spans)

    def _run(self, outputs: Sequence[str], given: Given) -> list[np.ndarray]:
        return self._session.run(list(outputs), {name: given[name] for name in self._inputs})

    def _check_golden(self, bundle: Bundle, where: str) -> None:
        place = f"{bundle.path}/{GOLDEN}"
        stored = golden_decisions(bundle.parts[GOLDEN], place, spans=self._spans)
        names = (OUTPUTS[0], *(SPAN_OUTPUTS if self._spans else ()))
        for column in range(stored["capacity_gbps"].shape[-1]):
            one = {
                name: values if name in TOPOLOGY else values[..., column : column + 1]
                for name, values in stored.items()
            }
            answers, widest = self._run(names, one), max(one["capacity_gbps"].max(), NO_ROOM_GBPS)
            away = [np.abs(answer - one[n]).max() for n, answer in zip(names, answers, strict=True)]
            found = float(np.max([away[0] / widest, *away[1:]]))
            if not found <= TOLERANCE:
                msg = (
                    f"{where}: onnxruntime decides otherwise than the exported policy did "
                    f"(difference {found:.1e}, allowed {TOLERANCE:.0e}); the graph was changed."
                )
                raise BundleError(msg)


def make_runtime(
    bundle: Bundle, network: Network, wanted: RuntimeName, example: Given
) -> tuple[Runtime, dict[str, float]]:
    """A runtime for a network, warmed up, and the milliseconds of an inference of those tried.

    Args:
        bundle: checked.
        network: what it decides for.
        wanted: "auto" takes the faster of those installed.
        example: a decision to warm up with.

    Raises:
        UnknownNameError: There is no such runtime.
        BundleError: It cannot run this bundle.
    """
    if wanted not in get_args(RuntimeName):
        known = get_args(RuntimeName)
        raise unknown_name(kind="runtime", name=wanted, known=known, remedy="Use one of them.")
    runtimes: list[Runtime] = []
    has_graph = find_spec("onnxruntime") is not None and bool(bundle.parts[ONNX])
    if wanted == "onnx" or (wanted == "auto" and has_graph):
        runtimes.append(OnnxRuntime(bundle, network))
    if wanted != "onnx":
        runtimes.append(NumpyRuntime(bundle, network))
    taken = {runtime.name: _milliseconds(runtime, example) for runtime in runtimes}
    return min(runtimes, key=lambda runtime: taken[runtime.name]), taken


def _milliseconds(runtime: Runtime, example: Given) -> float:
    runtime(example)
    times: list[float] = []
    for _ in range(TRIALS):
        begun = time.perf_counter()
        runtime(example)
        times.append(time.perf_counter() - begun)
    return round(1e3 * min(times), 4)


def _session(graph: bytes, where: str) -> Any:
    try:
        import onnxruntime
    except ImportError:
        msg = "runtime 'onnx' needs onnxruntime: pip install 'bwalloc[serve]'."
        raise BundleError(msg) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises bare classes of its own
        msg = f"{where}: onnxruntime cannot load the graph ({str(error).splitlines()[0]})."
        raise BundleError(msg) from None
