"""An ONNX file is checked before a runtime sees it, and without the package `onnx`."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from policies import SMALL, decisions, graph_of, random_policy

from bwalloc.allocate.policy.decision import INPUTS
from bwalloc.allocate.policy.neural import Architecture
from bwalloc.errors import BundleError
from bwalloc.scenario import load_scenario
from bwalloc.serve import list_agents, load_bundle
from bwalloc.serve.bundles.onnx_graph import MOST_INTEGER, MOST_NODES, OnnxGraph, check_onnx
from bwalloc.serve.bundles.onnx_schema import IR_VERSION, MESSAGES, OPERATORS, OPSET
from bwalloc.serve.bundles.protobuf import MOST_FIELDS

onnx = pytest.importorskip("onnx", reason="onnx comes with bwalloc[export]")
GRAPH = graph_of(random_policy(load_scenario("tiny-edge")))
"""The file of a small policy, as torch exported it."""
FEW = [100, 1000, 10_000, len(GRAPH) // 2, len(GRAPH) - 1]


def summary(data):
    """What the package `onnx` reads, in the form of `check_onnx`."""
    model = onnx.load_from_string(data)
    nodes = [(n.op_type, tuple(n.input), n.output[0]) for n in model.graph.node]
    return nodes, {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}


def accepted(graph: OnnxGraph):
    return [(n.operator, n.inputs, n.output) for n in graph.nodes], graph.constants


def changed(change):
    model = onnx.load_from_string(GRAPH)
    change(model)
    return model.SerializeToString()


def node_of(model, operator):
    return next(node for node in model.graph.node if node.op_type == operator)


def constant_of(model, kind=onnx.TensorProto.INT64):
    return next(tensor for tensor in model.graph.initializer if tensor.data_type == kind)


@pytest.mark.parametrize("name", list_agents())
def test_shipped_agents_are_read_as_onnx_reads_them(name):
    data = (list_agents()[name] / "policy.onnx").read_bytes()
    spans = load_bundle(name).manifest.spans

    assert summary(data) == accepted(check_onnx(data, "policy.onnx", spans=spans))


def test_a_file_is_read_as_onnx_reads_it():
    assert summary(GRAPH) == accepted(check_onnx(GRAPH, "policy.onnx"))


def test_the_numbers_of_the_fields_are_those_of_onnx():
    """And every other field of these messages is refused."""
    made = {
        "TypeProto.Tensor": onnx.TypeProto.Tensor,
        "Dimension": onnx.TensorShapeProto.Dimension,
    }
    for name, fields in MESSAGES.items():
        known = (made.get(name) or getattr(onnx, name)).DESCRIPTOR.fields_by_number
        names = {number: known[number].name for number in fields}
        assert names == {number: field.name for number, field in fields.items()}


def set_version(model, domain="", version=OPSET, ir_version=IR_VERSION):
    model.ir_version = ir_version
    del model.opset_import[:]
    model.opset_import.append(onnx.helper.make_opsetid(domain, version))


def body():
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    return onnx.helper.make_graph([], "body", [], [value])


FOREIGN = {
    "loop": (lambda m: set_operator(m, "Tanh", "Loop"), r"operator 'Loop' is not allowed"),
    "if": (lambda m: set_operator(m, "Tanh", "If"), r"operator 'If' is not allowed"),
    "unknown": (
        lambda m: set_operator(m, "Tanh", "Tan"),
        r"'Tan' is not allowed\. Nearest: 'Tanh'",
    ),
    "domain of a node": (
        lambda m: setattr(node_of(m, "Tanh"), "domain", "com.microsoft"),
        r"node \d+: operators of 'com\.microsoft' are not allowed",
    ),
    "its other name": (
        lambda m: setattr(node_of(m, "Tanh"), "domain", "ai.onnx"),
        r"operators of 'ai\.onnx' are not allowed",
    ),
    "domain imported": (
        lambda m: m.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1)),
        r"found IR version 10 with '' 18, 'com\.microsoft' 1",
    ),
    "older set": (
        lambda m: set_version(m, version=17),
        r"operator set '' 18 alone, found .* '' 17",
    ),
    "newer set": (lambda m: set_version(m, version=19), r"found .* '' 19"),
    "older file": (lambda m: set_version(m, ir_version=7), r"found IR version 7"),
    "newer file": (lambda m: set_version(m, ir_version=11), r"found IR version 11"),
    "no set": (lambda m: m.ClearField("opset_import"), r"with none"),
    "no graph": (lambda m: m.ClearField("graph"), r"inputs must be demands, .*, found none"),
    "function": (
        lambda m: m.functions.append(onnx.FunctionProto(name="Tanh")),
        r"holds 'functions': operators could hide in it",
    ),
    "training": (
        lambda m: m.training_info.append(onnx.TrainingInfoProto()),
        r"holds 'training_info'",
    ),
    "sub-graph": (
        lambda m: node_of(m, "Cast").attribute.append(onnx.helper.make_attribute("body", body())),
        r"graph\.node\[\d+\]\.attribute\[1\]: holds 'g': it is a sub-graph",
    ),
    "sub-graphs": (
        lambda m: node_of(m, "Cast").attribute.append(onnx.helper.make_attribute("b", [body()])),
        r"holds 'graphs'",
    ),
    "reference": (
        lambda m: setattr(node_of(m, "Cast").attribute[0], "ref_attr_name", "to"),
        r"holds 'ref_attr_name'",
    ),
    "overload": (lambda m: setattr(node_of(m, "Tanh"), "overload", "x"), r"holds 'overload'"),
    "device": (
        lambda m: node_of(m, "Tanh").device_configurations.add(),
        r"holds 'device_configurations'",
    ),
    "sparse": (lambda m: m.graph.sparse_initializer.add(), r"holds 'sparse_initializer'"),
    "quantized": (
        lambda m: m.graph.quantization_annotation.add(),
        r"holds 'quantization_annotation'",
    ),
}


def set_operator(model, old, new):
    node_of(model, old).op_type = new


@pytest.mark.parametrize("name", FOREIGN)
def test_what_no_policy_needs_is_refused_by_name(name):
    change, text = FOREIGN[name]

    with pytest.raises(BundleError, match=rf"^policy\.onnx.*{text}.*; export the run again\.$"):
        check_onnx(changed(change), "policy.onnx")


def set_external(model):
    tensor = constant_of(model, onnx.TensorProto.FLOAT)
    onnx.external_data_helper.set_external_data(tensor, "/etc/passwd")
    tensor.ClearField("raw_data")


def set_location(model):
    constant_of(model).data_location = onnx.TensorProto.EXTERNAL


def set_numbers(model, numbers):
    constant_of(model).CopyFrom(
        onnx.numpy_helper.from_array(np.array(numbers, np.int64), constant_of(model).name)
    )


def set_fill(model, values):
    value = onnx.numpy_helper.from_array(np.array(values, np.float32))
    set_attribute(model, "ConstantOfShape", value=value)


CONSTANTS = {
    "external": (set_external, r"holds 'external_data': numbers are read from this file only"),
    "location": (set_location, r"holds 'data_location'"),
    "not raw": (
        lambda m: m.graph.initializer.append(
            onnx.helper.make_tensor("x", onnx.TensorProto.FLOAT, [1], [1.0])
        ),
        r"holds 'float_data'",
    ),
    "text": (
        lambda m: m.graph.initializer.append(
            onnx.helper.make_tensor("x", onnx.TensorProto.STRING, [1], [b"a"])
        ),
        r"holds 'string_data'",
    ),
    "double": (
        lambda m: m.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(2), "x")),
        r"constant 'x': must be float32 or int64, found type 11, sizes \(2\)",
    ),
    "cut off": (
        lambda m: setattr(constant_of(m), "raw_data", constant_of(m).raw_data[:-1]),
        r"constant '\w+': has sizes \(\d+\) and \d+ bytes, which do not fit",
    ),
    "negative size": (lambda m: constant_of(m).dims.append(-1), r"sizes \(1, -1\)"),
    "overflowing size": (lambda m: constant_of(m).dims.extend([2**32] * 4), r"do not fit"),
    "axes": (lambda m: constant_of(m).dims.extend([1] * 50), r"sizes \(1, 1, .*, \.\.\.\)"),
    "large number": (
        lambda m: set_numbers(m, [MOST_INTEGER + 1]),
        rf"whole numbers go to {MOST_INTEGER}, found {MOST_INTEGER + 1}",
    ),
    "very negative": (lambda m: set_numbers(m, [-(2**63)]), r"found -9223372036854775808"),
    "name taken": (
        lambda m: m.graph.initializer.append(constant_of(m)),
        r"the name '\w+' of a constant is taken",
    ),
    "name of an input": (
        lambda m: setattr(constant_of(m), "name", "hops"),
        r"the name 'hops' of a constant is taken",
    ),
    "no name": (lambda m: setattr(constant_of(m), "name", ""), r"the name '' of a constant"),
    "table of zeros": (lambda m: set_fill(m, [0, 0]), r"'value': must hold one number"),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_that_are_not_plain_are_refused(name):
    change, text = CONSTANTS[name]

    with pytest.raises(BundleError, match=text):
        check_onnx(changed(change), "policy.onnx")


def size_of(model, name):
    (value,) = (one for one in model.graph.input if one.name == name)
    return value.type.tensor_type


def rename_everywhere(model, old, new):
    for names in (value for n in model.graph.node for value in (n.input, n.output)):
        for row, name in enumerate(names):
            names[row] = new if name == old else name
    for value in (*model.graph.input, *model.graph.output):
        value.name = new if value.name == old else value.name


CONTRACT = {
    "name": (lambda m: rename_everywhere(m, "split", "spilt"), r"inputs must be .*'spilt'"),
    "one less": (lambda m: m.graph.input.pop(), r"inputs must be demands, "),
    "one more": (lambda m: m.graph.input.add(name="x"), r"inputs must be .*'hops', 'x'"),
    "twice": (lambda m: m.graph.input.append(m.graph.input[-1]), r"'hops', 'hops'"),
    "order": (lambda m: m.graph.input.append(m.graph.input.pop(0)), r"inputs must be demands"),
    "output": (lambda m: m.graph.output.pop(), r"outputs must be rates_gbps, action, found"),
    "type": (
        lambda m: setattr(size_of(m, "hops"), "elem_type", 6),
        r"'hops' must be int64 \(any, any\), found sizes \(any, any\) of type 6",
    ),
    "features": (
        lambda m: setattr(size_of(m, "demands").shape.dim[0], "dim_value", 99),
        r"'demands' must be float32 \(16, any, 1\), found sizes \(99, any, 1\)",
    ),
    "one network": (
        lambda m: setattr(size_of(m, "capacity_gbps").shape.dim[0], "dim_value", 6),
        r"'capacity_gbps' must be float32 \(any, 1\), found sizes \(6, 1\)",
    ),
    "no sizes": (lambda m: size_of(m, "weight").ClearField("shape"), r"'weight' must be"),
    "no type": (lambda m: m.graph.input[0].ClearField("type"), r"'demands' must be"),
    "rank of an output": (
        lambda m: m.graph.output[0].type.tensor_type.shape.dim.pop(),
        r"'rates_gbps' must be float32 \(any, any, any\)",
    ),
    "sequence": (
        lambda m: m.graph.input[0].type.sequence_type.elem_type.tensor_type.SetInParent(),
        r"holds 'sequence_type'",
    ),
}


@pytest.mark.parametrize("name", CONTRACT)
def test_inputs_and_outputs_other_than_the_contracts_are_refused(name):
    change, text = CONTRACT[name]

    with pytest.raises(BundleError, match=text):
        check_onnx(changed(change), "policy.onnx")


def test_a_size_that_is_said_twice_is_refused():
    """Parsers keep the last of the two. Made by hand, as no library writes it."""
    size = message(0x0A, b"\x08\x06" + message(0x12, b"s")) + message(0x0A, b"\x08\x01")
    tensor = message(0x0A, b"\x08\x01" + message(0x12, size))
    value = message(0x0A, b"want_gbps") + message(0x12, tensor)
    parsed = onnx.ValueInfoProto.FromString(value).type.tensor_type.shape
    assert ["s", ""] == [dim.dim_param for dim in parsed.dim]

    with pytest.raises(BundleError, match=r"'want_gbps' must be float32 \(any, 1\)"):
        check_onnx(with_input(INPUTS.index("want_gbps"), value), "policy.onnx")


def message(tag, data):
    return bytes([tag]) + varint(len(data)) + data


def with_input(row, made):
    """The file with the bytes of an input replaced, and inputs behind all else of the graph."""
    model = onnx.load_from_string(GRAPH)
    values = [value.SerializeToString() for value in model.graph.input]
    values[row] = made
    del model.graph.input[:]
    graph = model.graph.SerializeToString()
    graph += b"".join(message(0x5A, value) for value in values)
    model.ClearField("graph")
    return model.SerializeToString() + message(0x3A, graph)


def varint(number):
    out = b""
    while number > 0x7F:
        out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
    return out + bytes([number])


def test_fields_may_stand_in_any_order():
    values = [value.SerializeToString() for value in onnx.load_from_string(GRAPH).graph.input]

    assert accepted(check_onnx(with_input(0, values[0]), "p")) == accepted(check_onnx(GRAPH, "p"))


def set_attribute(model, operator, **values):
    for name, value in values.items():
        node_of(model, operator).attribute.append(onnx.helper.make_attribute(name, value))


NODES = {
    "unknown attribute": (
        lambda m: set_attribute(m, "Tanh", alpha=1),
        r"node \d+, 'Tanh': the attribute 'alpha' of type 2 is not allowed",
    ),
    "attribute of another type": (
        lambda m: (node_of(m, "Cast").ClearField("attribute"), set_attribute(m, "Cast", to="a")),
        r"the attribute 'to' of type 3 is not allowed",
    ),
    "attribute twice": (
        lambda m: set_attribute(m, "Cast", to=1),
        r"the attribute 'to' of type 2 is not allowed, or stands twice",
    ),
    "float attribute": (lambda m: set_attribute(m, "Tanh", alpha=1.0), r"holds 'f'"),
    "two values": (
        lambda m: setattr(node_of(m, "Cast").attribute[0], "s", b"none"),
        r"must hold 'i' alone, found i, s",
    ),
    "another way to scatter": (
        lambda m: setattr(
            next(a for a in node_of(m, "ScatterElements").attribute if a.name == "reduction"),
            "s",
            b"add",
        ),
        r"'add' is not allowed\. Allowed: none",
    ),
    "large number": (
        lambda m: setattr(node_of(m, "Concat").attribute[0], "i", 10**9),
        r"whole numbers go to",
    ),
    "two outputs": (lambda m: node_of(m, "Tanh").output.append("x"), r"must have one output"),
    "no output": (lambda m: node_of(m, "Tanh").output.pop(), r"must have one output"),
    "never made": (
        lambda m: node_of(m, "Tanh").input.__setitem__(0, "ghost"),
        r"node \d+, 'Tanh', takes 'ghost' before it is made",
    ),
    "later": (
        lambda m: m.graph.node.insert(0, m.graph.node.pop()),
        r"node 0, '\w+', takes '\w+' before it is made",
    ),
    "made twice": (
        lambda m: m.graph.node.append(node_of(m, "Tanh")),
        r"node \d+, 'Tanh': 'action' is taken",
    ),
    "output never made": (
        lambda m: m.graph.node.pop(),
        r"nothing makes the output 'rates_gbps'",
    ),
    "many": (
        lambda m: m.graph.node.extend([onnx.helper.make_node("Tanh", [], [""])] * MOST_NODES),
        rf"at most {MOST_NODES} nodes are read",
    ),
}


@pytest.mark.parametrize("name", NODES)
def test_nodes_that_ours_never_are_are_refused(name):
    change, text = NODES[name]

    with pytest.raises(BundleError, match=text):
        check_onnx(changed(change), "policy.onnx")


WIRE = {
    "a second graph, which parsers merge": (GRAPH + b"\x3a\x00", r"'graph' stands twice"),
    "a second version": (GRAPH + b"\x08\x0a", r"'ir_version' stands twice"),
    "an unknown field": (GRAPH + b"\xfa\x07\x00", r"ModelProto has no field 127"),
    "field 0": (GRAPH + b"\x00\x00", r"ModelProto has no field 0"),
    "another wire type": (
        b"\x0d\x0a\x00\x00\x00" + GRAPH,
        r"ir_version: is written as wire type 5",
    ),
    "a group": (b"\x3b" + GRAPH, r"graph: is written as wire type 3"),
    "an endless integer": (b"\x08" + b"\xff" * 50, r"an integer of more than 64 bits"),
    "an integer of 70 bits": (b"\x08" + b"\xff" * 9 + b"\x7f", r"an integer of more than 64 bits"),
    "a size beyond the end": (b"\x3a\xff\xff\x03", r"graph: is cut off"),
    "a size beyond everything": (b"\x3a" + b"\xff" * 9 + b"\x01", r"graph: is cut off"),
    "a cut tag": (GRAPH + b"\xff", r"top level: is cut off"),
    "a name that is no text": (b"\x42\x03\x0a\x01\xff", r"opset_import\[0\]\.domain: is no UTF-8"),
    "a name too long": (
        b"\x42\xec\x07\x0a\xe9\x07" + b"a" * 1001,
        r"domain: is text of more than 1000 bytes",
    ),
    "nothing": (b"", r"found IR version 0 with none"),
}


@pytest.mark.parametrize("name", WIRE)
def test_files_that_parsers_read_differently_or_not_at_all_are_refused(name):
    data, text = WIRE[name]

    with pytest.raises(BundleError, match=rf"policy\.onnx.*({text})"):
        check_onnx(data, "policy.onnx")


@pytest.mark.parametrize("end", FEW)
def test_a_file_that_is_cut_off_is_refused(end):
    with pytest.raises(BundleError, match=r"policy\.onnx"):
        check_onnx(GRAPH[:end], "policy.onnx")


def test_names_do_not_reach_a_terminal_as_they_are():
    data = changed(lambda m: set_operator(m, "Tanh", "\x1b[2J" + 200 * "x"))

    with pytest.raises(BundleError) as raised:
        check_onnx(data, "policy.onnx")
    assert r"'\x1b[2J" in str(raised.value)
    assert len(str(raised.value)) < 300


@pytest.mark.slow  # tracemalloc slows what it watches
@pytest.mark.parametrize(
    "filling",
    [b"\x0a\x00", b"\x0a\x02\x0a\x00", b"\x2a\x02\x0a\x00", b"\x2a\x06\x0a\x04\x00\x00\x00\x00"],
)
def test_many_small_messages_do_not_fill_the_memory(filling):
    graph = filling * (4 * 2**20 // len(filling))
    tracemalloc.start()
    with pytest.raises(BundleError, match=rf"comes after more than {MOST_FIELDS} fields"):
        check_onnx(message(0x3A, graph), "policy.onnx")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 256 * 2**20


def holds(data):
    """Refused, or read as onnx reads it."""
    try:
        found = check_onnx(data, "policy.onnx")
    except BundleError:
        return
    assert summary(data) == accepted(found)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=300))
@example(b"")
def test_any_bytes_are_refused_and_nothing_else(data):
    with pytest.raises(BundleError, match=r"policy\.onnx"):
        check_onnx(data, "policy.onnx")


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(GRAPH) - 1), st.integers(0, 7)), min_size=1, max_size=4)
)
def test_flipped_bits_are_refused_or_read_as_onnx_reads_them(flips):
    data = bytearray(GRAPH)
    for at, bit in flips:
        data[at] ^= 1 << bit
    holds(bytes(data))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(GRAPH)), st.integers(0, 20), st.binary(max_size=20))
def test_cuts_and_insertions_are_refused_or_read_as_onnx_reads_them(at, gone, new):
    holds(GRAPH[:at] + new + GRAPH[at + gone :])


@pytest.mark.slow
def test_the_operators_are_those_that_the_exporter_writes():
    """Of any architecture: with and without rounds, with and without history, one channel."""
    pytest.importorskip("torch", reason="torch comes with bwalloc[learn]")
    pytest.importorskip("onnxscript")
    from bwalloc.learn.export import onnx as exporter

    scenario = load_scenario("tiny-edge", {"time.intervals": 40})
    written: dict[str, set] = {}
    for architecture in (Architecture(1, 0), Architecture(2, 3, history=False), SMALL):
        policy = random_policy(scenario, architecture)
        data = exporter.onnx_of(policy, decisions(scenario, policy)[0])
        assert summary(data) == accepted(check_onnx(data, "policy.onnx"))
        assert b"site-packages" not in data
        assert b".py" not in data
        for node in onnx.load_from_string(data).graph.node:
            attributes = {(attribute.name, attribute.type) for attribute in node.attribute}
            written.setdefault(node.op_type, set()).update(attributes)

    assert exporter.OPSET == OPSET
    assert written == {name: set(one.attributes.items()) for name, one in OPERATORS.items()}


def test_every_operator_says_what_it_is_for():
    assert [] == [name for name, one in OPERATORS.items() if len(one.why) < 8]
    assert set(INPUTS) >= {"hops", "capacity_gbps"}
