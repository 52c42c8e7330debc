"""Every way to compute one decision of a policy that is installed, on the same inputs."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from bwalloc.allocate.policy.decision import input_names
from bwalloc.serve.bundles.golden import decide_plainly
from bwalloc.serve.bundles.manifest import ONNX
from bwalloc.serve.policy.runtime import NumpyRuntime, OnnxRuntime

if TYPE_CHECKING:
    import numpy as np

    from bwalloc.network import Network
    from bwalloc.serve import Bundle
    from bwalloc.serve.policy.runtime import Given

Computes = Callable[["Given"], "np.ndarray"]
"""Rates of one decision from its inputs, (demands, tunnels)."""
NUMPY, COMPILED, ONNXRUNTIME, TORCH = "numpy", "numpy, decode compiled", "onnxruntime", "torch"


class Runtimes:
    """The runtimes of one bundle, for networks without floors, which the graph does not know."""

    def __init__(self, bundle: Bundle) -> None:
        """Load what does not depend on a network."""
        self.bundle = bundle
        self._shared: dict[str, Computes] = {
            NUMPY: lambda given: decide_plainly(bundle.policy, given)["rates_gbps"][:, :, 0]
        }
        if find_spec("torch"):
            self._shared[TORCH] = _torch(bundle)

    def on(self, network: Network) -> dict[str, Computes]:
        """By name: NumPy alone, and with `decode` compiled, onnxruntime, torch."""
        found = dict(self._shared)
        if find_spec("numba"):
            found[COMPILED] = _rates_of(NumpyRuntime(self.bundle, network))
        if find_spec("onnxruntime"):
            found[ONNXRUNTIME] = _rates_of(OnnxRuntime(self.bundle, network))
        return found


def bare_onnxruntime(bundle: Bundle) -> Computes:
    """The graph as anybody would run it: one thread, everything else as onnxruntime has it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        bundle.parts[ONNX], options, providers=["CPUExecutionProvider"]
    )

    names = input_names(spans=bundle.policy.architecture.spans)

    def compute(given: Given) -> np.ndarray:
        outputs: Any = session.run(["rates_gbps"], {name: given[name] for name in names})
        return outputs[0][:, :, 0]

    return compute


def _rates_of(runtime: NumpyRuntime | OnnxRuntime) -> Computes:
    return lambda given: runtime(given).rates_gbps


def _torch(bundle: Bundle) -> Computes:
    import torch

    from bwalloc.learn.export.graph import DecisionGraph

    graph = DecisionGraph(bundle.policy).eval()
    names = input_names(spans=bundle.policy.architecture.spans)

    def compute(given: Given) -> np.ndarray:
        with torch.no_grad():
            rates, *_ = graph(*(torch.as_tensor(given[name]) for name in names))
        return rates.numpy()[:, :, 0]

    return compute
