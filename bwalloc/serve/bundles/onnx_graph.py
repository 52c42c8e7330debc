"""The ONNX graph of a policy, checked before a runtime sees it, without the package `onnx`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from bwalloc.allocate.policy.decision import FEATURES, TOPOLOGY, input_names, output_names
from bwalloc.allocate.policy.neural import MOST_HIDDEN
from bwalloc.errors import BundleError, nearest
from bwalloc.observe import tables_of
from bwalloc.serve.bundles.onnx_schema import (
    FLOAT,
    INT64,
    IR_VERSION,
    ITEM_BYTES,
    MESSAGES,
    OF_INTEGER,
    OF_INTEGERS,
    OF_TENSOR,
    OF_TEXT,
    OPERATORS,
    OPSET,
)
from bwalloc.serve.bundles.protobuf import Message, Reader

Sizes = tuple[int | None, ...]
"""Of a table; None where the graph leaves a size free."""
TABLES_IN: dict[str, Sizes] = {
    **dict.fromkeys(("want_gbps", "weight", "spare_weight", "capacity_gbps"), (None, 1)),
    "split": (None, None, 1),
    "hops": (None, None),
    "span_of_link": (None, 1),
}
"""Sizes of inputs that are no features. What follows from the network must be free: bundles fit
any."""
AXES_OF_OUTPUTS = 3
MOST_NODES, MOST_AXES = 4096, 8
"""Our largest graph has 1,600 nodes, and tables of four axes."""
MOST_INTEGER, WHOLE_AXIS = 4 * MOST_HIDDEN, 2**63 - 1
"""Whole numbers in our graphs are axes and counts of channels, or the end of a Slice: a larger one
could only make a table that fills the memory."""
HOLDS = {OF_INTEGER: "i", OF_TEXT: "s", OF_TENSOR: "t", OF_INTEGERS: "ints"}
"""Where the value of an attribute lies, by its type."""
WORDS = ("none",)
"""Attributes that are words: how ScatterElements combines."""
SHOWN = 60


@dataclass(frozen=True, slots=True)
class Node:
    """One operation; `inputs` and `output` are names of values."""

    operator: str
    inputs: tuple[str, ...]
    output: str


@dataclass(frozen=True, slots=True)
class OnnxGraph:
    """A checked graph: nodes in the order they run, shapes of constants by name."""

    nodes: tuple[Node, ...]
    constants: dict[str, tuple[int, ...]]


def check_onnx(data: bytes, where: str, *, spans: bool = False) -> OnnxGraph:
    """Refuse an ONNX file that our exporter could not have written.

    Args:
        data: the file.
        where: its name, as errors say it.
        spans: whether it is of a policy that orders.

    Raises:
        BundleError: It cannot be read, has another version, an operator, attribute or constant
            that is not allowed, inputs or outputs other than `input_names` and `output_names`, or
            anything that hides operators or leads out of the file.
    """
    model = Reader(MESSAGES, where).read(data, "ModelProto")
    _check_version(model, where)
    graph: Message = model.get("graph", {"node": [], "initializer": [], "input": [], "output": []})
    inputs, outputs = input_names(spans=spans), output_names(spans=spans)
    _check_values(graph["input"], inputs, _sizes(spans), f"{where}: inputs")
    _check_values(graph["output"], outputs, {}, f"{where}: outputs")
    constants = _constants(graph["initializer"], (*inputs, *outputs), where)
    if len(graph["node"]) > MOST_NODES:
        raise _refusal(where, f"at most {MOST_NODES} nodes are read", str(len(graph["node"])))
    nodes = tuple(_node(node, f"{where}, node {row}") for row, node in enumerate(graph["node"]))
    _check_order(nodes, [*inputs, *constants], outputs, where)
    return OnnxGraph(nodes, constants)


def _check_version(model: Message, where: str) -> None:
    version = model.get("ir_version", 0)
    sets = [(one.get("domain", ""), one.get("version", 0)) for one in model["opset_import"]]
    if version != IR_VERSION or sets != [("", OPSET)]:
        found = ", ".join(f"{_quoted(domain)} {number}" for domain, number in sets[:4]) or "none"
        raise _refusal(
            where,
            f"must be of IR version {IR_VERSION} with operator set '' {OPSET} alone",
            f"IR version {version} with {found}",
        )


def _sizes(spans: bool) -> dict[str, Sizes]:
    """Of the inputs, batches of one."""
    kinds = (*FEATURES, "spans") if spans else FEATURES
    rows = {kind: 1 if kind == "globals" else None for kind in kinds}
    features = {kind: (len(tables_of(spans=spans)[kind]), rows[kind], 1) for kind in kinds}
    return {**features, **TABLES_IN}


def _check_values(
    values: list[Message], expected: tuple[str, ...], wanted_of: Mapping[str, Sizes], what: str
) -> None:
    """Hold inputs or outputs against the contract: names in order, types, sizes."""
    where, _, kind = what.rpartition(": ")
    names = [value.get("name", "") for value in values]
    if names != list(expected):
        found = ", ".join(_quoted(name) for name in names[: 2 * len(expected)]) or "none"
        raise _refusal(where, f"{kind} must be {', '.join(expected)}", found)
    for name, value in zip(names, values, strict=True):
        tensor: Message = value.get("type", {}).get("tensor_type", {})
        sizes = tuple(_size(dim) for dim in tensor.get("shape", {"dim": []})["dim"])
        kind_of, is_whole = tensor.get("elem_type", 0), name in TOPOLOGY
        wanted = wanted_of.get(name, (None,) * AXES_OF_OUTPUTS)
        is_right = sizes == wanted if name in wanted_of else len(sizes) == AXES_OF_OUTPUTS
        if kind_of != (INT64 if is_whole else FLOAT) or not is_right:
            kind_wanted = "int64" if is_whole else "float32"
            found = f"sizes {_shown(sizes)} of type {kind_of}"
            raise _refusal(where, f"'{name}' must be {kind_wanted} {_shown(wanted)}", found)


def _size(dim: Message) -> int | None:
    """A size that is fixed; one that is called both ways is none that ours has."""
    return -1 if {"dim_value", "dim_param"} <= dim.keys() else dim.get("dim_value")


def _shown(sizes: Sizes) -> str:
    numbers = ["any" if size is None else str(size) for size in sizes[: MOST_AXES + 1]]
    return f"({', '.join(numbers)}{', ...' if len(sizes) > len(numbers) else ''})"


def _constants(
    tensors: list[Message], taken: tuple[str, ...], where: str
) -> dict[str, tuple[int, ...]]:
    """Shapes of constants by name."""
    found: dict[str, tuple[int, ...]] = {}
    for tensor in tensors:
        name = tensor.get("name", "")
        if not name or name in found or name in taken:
            raise _refusal(where, f"the name {_quoted(name)} of a constant is taken, or none")
        found[name] = _shape(tensor, f"{where}, constant {_quoted(name)}")
    return found


def _shape(tensor: Message, where: str) -> tuple[int, ...]:
    """The shape of a tensor that is sound."""
    sizes, kind, data = (
        tuple(tensor["dims"]),
        tensor.get("data_type", 0),
        tensor.get("raw_data", b""),
    )
    if kind not in ITEM_BYTES or len(sizes) > MOST_AXES or any(size < 0 for size in sizes):
        raise _refusal(where, "must be float32 or int64", f"type {kind}, sizes {_shown(sizes)}")
    if prod(sizes) * ITEM_BYTES[kind] != len(data):
        raise _refusal(where, f"has sizes {_shown(sizes)} and {len(data)} bytes, which do not fit")
    if kind == INT64:
        _check_integers(np.frombuffer(data, "<i8").tolist(), where)
    return sizes


def _check_integers(numbers: Iterable[int], where: str) -> None:
    for number in numbers:
        if not -MOST_INTEGER <= number <= MOST_INTEGER and number != WHOLE_AXIS:
            raise _refusal(where, f"whole numbers go to {MOST_INTEGER}", str(number))


def _node(node: Message, where: str) -> Node:
    name, domain = node.get("op_type", ""), node.get("domain", "")
    if domain:
        raise _refusal(where, f"operators of {_quoted(domain)} are not allowed")
    if name not in OPERATORS:
        close = nearest(name, OPERATORS)
        raise _refusal(where, f"the operator {_quoted(name)} is not allowed. {close}")
    if len(node["output"]) != 1 or not node["output"][0]:
        raise _refusal(where, f"'{name}' must have one output", str(len(node["output"])))
    _check_attributes(name, node["attribute"], f"{where}, '{name}'")
    return Node(name, tuple(node["input"]), node["output"][0])


def _check_attributes(operator: str, attributes: list[Message], where: str) -> None:
    allowed, seen = OPERATORS[operator].attributes, set[str]()
    for attribute in attributes:
        name, kind = attribute.get("name", ""), attribute.get("type", 0)
        if allowed.get(name) != kind or name in seen:
            what = f"the attribute {_quoted(name)} of type {kind} is not allowed, or stands twice"
            raise _refusal(where, what)
        seen.add(name)
        _check_attribute(attribute, f"{where}, attribute '{name}'")


def _check_attribute(attribute: Message, where: str) -> None:
    """Refuse values beside the one its type names, and values that ours never have."""
    kind = attribute["type"]
    held = [field for field in HOLDS.values() if attribute.get(field, []) != []]
    if held != [HOLDS[kind]]:
        raise _refusal(where, f"must hold '{HOLDS[kind]}' alone", ", ".join(held) or "none")
    if kind == OF_TEXT and attribute["s"] not in WORDS:
        what = f"{_quoted(attribute['s'])} is not allowed. Allowed: {', '.join(WORDS)}"
        raise _refusal(where, what)
    if kind == OF_TENSOR and prod(_shape(attribute["t"], where)) != 1:
        raise _refusal(where, "must hold one number")
    if kind in (OF_INTEGER, OF_INTEGERS):
        _check_integers(attribute["ints"] or [attribute["i"]], where)


def _check_order(
    nodes: tuple[Node, ...], given: list[str], outputs: tuple[str, ...], where: str
) -> None:
    """Refuse values that are used before they are made, made twice, or never made."""
    made = set(given)
    for row, node in enumerate(nodes):
        for name in node.inputs:
            if name and name not in made:
                what = f"node {row}, '{node.operator}', takes {_quoted(name)} before it is made"
                raise _refusal(where, what)
        if node.output in made:
            raise _refusal(where, f"node {row}, '{node.operator}': {_quoted(node.output)} is taken")
        made.add(node.output)
    for name in outputs:
        if name not in made:
            raise _refusal(where, f"nothing makes the output '{name}'")


def _quoted(text: str) -> str:
    """A name out of the file, without what moves a terminal's cursor."""
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")


def _refusal(where: str, what: str, found: str = "") -> BundleError:
    shown = f", found {found}" if found else ""
    return BundleError(f"{where}: {what.removesuffix('.')}{shown}; export the run again.")
