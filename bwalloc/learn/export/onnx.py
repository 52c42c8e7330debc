"""The ONNX file of a policy: any number of demands, tunnels and links; opset 18."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch

from bwalloc.allocate.policy.decision import input_names, output_names
from bwalloc.learn.export.graph import DecisionGraph

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from onnx import ModelProto

    from bwalloc.allocate.policy.learned import Policy

OPSET = 18
DYNAMIC = {"want_gbps": (0,), "weight": (0,), "spare_weight": (0,), "capacity_gbps": (0,)} | {
    "demands": (1,), "tunnels": (1,), "links": (1,), "globals": (), "split": (0, 1), "hops": (0, 1),
    "spans": (1,), "span_of_link": (0,),
}  # fmt: skip
"""Axes of the inputs whose sizes are free."""
SEVERAL = 2
"""Spans of an example that has fewer."""
REGISTRATION = "torch.onnx._internal.exporter._registration"
"""The logger on which torch's exporter says which operators it knows."""


def onnx_of(policy: Policy, example: Mapping[str, np.ndarray]) -> bytes:
    """The graph of `DecisionGraph` as an ONNX file.

    Args:
        policy: weights, architecture and scales of the action.
        example: one decision, arrays by the names of `input_names`, B = 1; its sizes do not matter.
    """
    spans = policy.architecture.spans
    inputs, outputs = input_names(spans=spans), output_names(spans=spans)
    traced = _with_spans(example) if spans else example
    given = tuple(torch.as_tensor(traced[name]) for name in inputs)
    auto = torch.export.Dim.AUTO  # pyright: ignore[reportPrivateImportUsage]
    dynamic = tuple(dict.fromkeys(DYNAMIC[name], auto) for name in inputs)
    with warnings.catch_warnings(), _torchvision_unmentioned():
        warnings.simplefilter("ignore")  # the exporter warns about its own internals
        program = torch.onnx.export(
            DecisionGraph(policy).eval(), given, dynamo=True, opset_version=OPSET, verbose=False,
            input_names=list(inputs), output_names=list(outputs), dynamic_shapes=(dynamic,),
        )  # fmt: skip
    if program is None:
        msg = "torch.onnx.export gave no program"
        raise RuntimeError(msg)
    return _without_notes(program.model_proto).SerializeToString()


def _with_spans(example: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """The example with several spans: tracing takes none, or one, for a constant of the graph."""
    features, spans, batch = example["spans"].shape
    if spans > 1:
        return example
    several = np.zeros((features, SEVERAL, batch), np.float32)
    unsold = np.full_like(example["span_of_link"], SEVERAL)
    return {**example, "spans": several, "span_of_link": unsold}


def _without_notes(model: ModelProto) -> ModelProto:
    """Take out where in this machine's files each node came from: two thirds of the file."""
    graph = model.graph
    values = (*graph.input, *graph.output, *graph.value_info, *graph.initializer)
    for each in (model, graph, *graph.node, *values):
        del each.metadata_props[:]
    return model


@contextmanager
def _torchvision_unmentioned() -> Generator[None]:
    """Keep quiet that operators of torchvision, which no policy uses, are left out."""

    def is_told(record: logging.LogRecord) -> bool:
        return "torchvision" not in record.getMessage()

    logger = logging.getLogger(REGISTRATION)
    logger.addFilter(is_told)
    try:
        yield
    finally:
        logger.removeFilter(is_told)
