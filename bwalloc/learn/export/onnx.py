"""The ONNX file of a policy: any number of demands, tunnels and links; opset 18."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import torch

from bwalloc.learn.export.graph import INPUTS, OUTPUTS, DecisionGraph

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from bwalloc.allocate.learned import Policy

OPSET = 18


def onnx_of(policy: Policy, scale: Mapping[str, float], example: Mapping[str, np.ndarray]) -> bytes:
    """The graph of `DecisionGraph` as an ONNX file.

    Args:
        policy: weights and architecture.
        scale: scales of the action by part.
        example: one input, arrays by the names of `INPUTS`; its sizes do not matter.
    """
    dims = {name: torch.export.Dim(name, min=2) for name in ("demand", "path", "link", "hop")}
    ways = torch.export.Dim("tunnel", min=2, max=64)
    demand, path, link, hop = (dims[name] for name in ("demand", "path", "link", "hop"))
    del path
    shapes = (
        {1: demand}, {1: demand * 2}, {1: link}, {},
        {0: demand}, {0: demand}, {0: demand, 1: ways}, {0: demand}, {0: link},
        {0: demand * 2, 1: hop},
    )  # fmt: skip
    del shapes
    graph = DecisionGraph(policy, scale).eval()
    given = tuple(torch.as_tensor(example[name]) for name in INPUTS)
    auto = torch.export.Dim.AUTO
    dynamic = tuple(dict.fromkeys(range(value.ndim), auto) for value in given)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns about its own internals
        program = torch.onnx.export(
            graph, given, dynamo=True, opset_version=OPSET, verbose=False,
            input_names=list(INPUTS), output_names=list(OUTPUTS), dynamic_shapes=(dynamic,),
        )  # fmt: skip
    assert program is not None
    program.save(buffer)
    return buffer.getvalue()
