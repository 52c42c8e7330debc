"""What an ONNX file of a policy may hold: fields by message, operators, and why each is there.

Fields and their numbers are those of onnx.proto (ONNX IR version 10). What is not listed is
refused without being read.
"""

from __future__ import annotations

from typing import NamedTuple

from bwalloc.serve.bundles.protobuf import DATA, INTEGER, REFUSED, TEXT, Field

IR_VERSION, OPSET = 10, 18
"""What our exporter writes."""
FLOAT, INT64 = 1, 7
ITEM_BYTES = {FLOAT: 4, INT64: 8}
"""Types of tensors, as ONNX numbers them, and the bytes of one number."""
OF_INTEGER, OF_TEXT, OF_TENSOR, OF_INTEGERS = 2, 3, 4, 7
"""Types of attributes, as ONNX numbers them."""

_HIDES = "operators could hide in it"
_FILE = "numbers are read from this file only"
_PLAIN = "only plain tensors of float32 and int64 are read"

MESSAGES = {
    "ModelProto": {
        1: Field("ir_version", INTEGER),
        2: Field("producer_name", DATA),
        3: Field("producer_version", DATA),
        4: Field("domain", DATA),
        5: Field("model_version", INTEGER),
        6: Field("doc_string", DATA),
        7: Field("graph", "GraphProto"),
        8: Field("opset_import", "OperatorSetIdProto", many=True),
        14: Field("metadata_props", "StringStringEntryProto", many=True),
        20: Field("training_info", REFUSED, why="a policy is not trained where it runs"),
        25: Field("functions", REFUSED, why=_HIDES),
        26: Field("configuration", REFUSED, why="it runs on one device"),
    },
    "OperatorSetIdProto": {1: Field("domain", TEXT), 2: Field("version", INTEGER)},
    "StringStringEntryProto": {1: Field("key", DATA), 2: Field("value", DATA)},
    "GraphProto": {
        1: Field("node", "NodeProto", many=True),
        2: Field("name", TEXT),
        5: Field("initializer", "TensorProto", many=True),
        10: Field("doc_string", DATA),
        11: Field("input", "ValueInfoProto", many=True),
        12: Field("output", "ValueInfoProto", many=True),
        13: Field("value_info", "ValueInfoProto", many=True),
        14: Field("quantization_annotation", REFUSED, why=_PLAIN),
        15: Field("sparse_initializer", REFUSED, why=_PLAIN),
        16: Field("metadata_props", "StringStringEntryProto", many=True),
    },
    "NodeProto": {
        1: Field("input", TEXT, many=True),
        2: Field("output", TEXT, many=True),
        3: Field("name", TEXT),
        4: Field("op_type", TEXT),
        5: Field("attribute", "AttributeProto", many=True),
        6: Field("doc_string", DATA),
        7: Field("domain", TEXT),
        8: Field("overload", REFUSED, why=_HIDES),
        9: Field("metadata_props", "StringStringEntryProto", many=True),
        10: Field("device_configurations", REFUSED, why="it runs on one device"),
    },
    "AttributeProto": {
        1: Field("name", TEXT),
        2: Field("f", REFUSED, why="no operator of ours takes a number that is not whole"),
        3: Field("i", INTEGER),
        4: Field("s", TEXT),
        5: Field("t", "TensorProto"),
        6: Field("g", REFUSED, why=f"it is a sub-graph, {_HIDES}"),
        7: Field("floats", REFUSED, why="no operator of ours takes numbers that are not whole"),
        8: Field("ints", INTEGER, many=True),
        9: Field("strings", REFUSED, why="no operator of ours takes a list of words"),
        10: Field("tensors", REFUSED, why=_PLAIN),
        11: Field("graphs", REFUSED, why=f"they are sub-graphs, {_HIDES}"),
        13: Field("doc_string", DATA),
        14: Field("tp", REFUSED, why=_PLAIN),
        15: Field("type_protos", REFUSED, why=_PLAIN),
        20: Field("type", INTEGER),
        21: Field("ref_attr_name", REFUSED, why="there are no functions it could refer to"),
        22: Field("sparse_tensor", REFUSED, why=_PLAIN),
        23: Field("sparse_tensors", REFUSED, why=_PLAIN),
    },
    "TensorProto": {
        1: Field("dims", INTEGER, many=True),
        2: Field("data_type", INTEGER),
        3: Field("segment", REFUSED, why=_FILE),
        4: Field("float_data", REFUSED, why="numbers are read as raw_data"),
        5: Field("int32_data", REFUSED, why="numbers are read as raw_data"),
        6: Field("string_data", REFUSED, why=_PLAIN),
        7: Field("int64_data", REFUSED, why="numbers are read as raw_data"),
        8: Field("name", TEXT),
        9: Field("raw_data", DATA),
        10: Field("double_data", REFUSED, why=_PLAIN),
        11: Field("uint64_data", REFUSED, why=_PLAIN),
        12: Field("doc_string", DATA),
        13: Field("external_data", REFUSED, why=_FILE),
        14: Field("data_location", REFUSED, why=_FILE),
        16: Field("metadata_props", "StringStringEntryProto", many=True),
    },
    "ValueInfoProto": {
        1: Field("name", TEXT),
        2: Field("type", "TypeProto"),
        3: Field("doc_string", DATA),
        4: Field("metadata_props", "StringStringEntryProto", many=True),
    },
    "TypeProto": {
        1: Field("tensor_type", "TypeProto.Tensor"),
        4: Field("sequence_type", REFUSED, why=_PLAIN),
        5: Field("map_type", REFUSED, why=_PLAIN),
        6: Field("denotation", DATA),
        8: Field("sparse_tensor_type", REFUSED, why=_PLAIN),
        9: Field("optional_type", REFUSED, why=_PLAIN),
    },
    "TypeProto.Tensor": {1: Field("elem_type", INTEGER), 2: Field("shape", "TensorShapeProto")},
    "TensorShapeProto": {1: Field("dim", "Dimension", many=True)},
    "Dimension": {
        1: Field("dim_value", INTEGER),
        2: Field("dim_param", TEXT),
        3: Field("denotation", DATA),
    },
}


class Operator(NamedTuple):
    """Why our exporter writes an operator, and the attributes it gives it, by name and type."""

    why: str
    attributes: dict[str, int]


def _operator(why: str, **attributes: int) -> Operator:
    return Operator(why, attributes)


_REDUCING = {"keepdims": OF_INTEGER}
_KEEPING = {**_REDUCING, "noop_with_empty_axes": OF_INTEGER}
OPERATORS = {
    "Add": _operator("biases, messages of several kinds, rates of rounds"),
    "Cast": _operator("which tunnels exist, as numbers", to=OF_INTEGER),
    "Clip": _operator("counts of neighbours and loads kept from 0"),
    "Concat": _operator("shapes, and the parts of the action side by side", axis=OF_INTEGER),
    "ConstantOfShape": _operator("matrices of zeros for the incidence", value=OF_TENSOR),
    "Div": _operator("offers per weight, means"),
    "Exp": _operator("factors of the correction"),
    "Expand": _operator("a demand's row once per tunnel"),
    "Gather": _operator("columns of tables, sizes out of shapes", axis=OF_INTEGER),
    "GatherND": _operator("links of each tunnel", batch_dims=OF_INTEGER),
    "IsInf": _operator("tunnels without links"),
    "Less": _operator("which tunnels exist"),
    "MatMul": _operator("layers, and sums over tunnels and links"),
    "Max": _operator("nothing is below 0 or divided by it"),
    "Min": _operator("no tunnel gets more than it wants"),
    "Mul": _operator("weights, masks, activations"),
    "Reciprocal": _operator("one by the count of neighbours"),
    "ReduceMax": _operator("whether a demand has a tunnel", **_KEEPING),
    "ReduceMin": _operator("the narrowest link of a tunnel", **_REDUCING),
    "ReduceSum": _operator("sums over the tunnels of a demand", **_KEEPING),
    "Reshape": _operator("tunnels flat, and by demand", allowzero=OF_INTEGER),
    "ScatterElements": _operator(
        "the incidence of tunnels and links", axis=OF_INTEGER, reduction=OF_TEXT
    ),
    "Shape": _operator("sizes of the topology", start=OF_INTEGER, end=OF_INTEGER),
    "Sigmoid": _operator("the activation"),
    "Slice": _operator("parts of the action"),
    "Squeeze": _operator("batches of one"),
    "Sub": _operator("what is left of links and demands"),
    "Tanh": _operator("the action between -1 and 1"),
    "Transpose": _operator("the incidence the other way", perm=OF_INTEGERS),
    "Unsqueeze": _operator("batches of one"),
    "Where": _operator("tunnels without links get 0"),
}
"""Every operator our exporter writes, for any architecture. All compute numbers from numbers: none
reads a file, calls a function, repeats or branches."""
