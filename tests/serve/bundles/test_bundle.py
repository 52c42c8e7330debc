"""Bundles are checked before anything of them runs."""

import json
import os
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policies import MADE, decisions, manifest_of, parts_of, random_policy, write_agent

from bwalloc.errors import BundleError, UnknownNameError
from bwalloc.scenario import draw_world, load_scenario
from bwalloc.serve import ReplayClock, load_bundle, write_bundle
from bwalloc.serve.bundles import agents
from bwalloc.serve.bundles import manifest as part
from bwalloc.serve.bundles.golden import decide_plainly, difference, golden_bytes
from bwalloc.serve.bundles.parts import write_parts
from bwalloc.sim import Episodes, Simulator
from bwalloc.sim.telemetry import telemetry_of
from bwalloc.tensors import tensors_from_bytes, tensors_to_bytes


@pytest.fixture(scope="module")
def scenario():
    return load_scenario("tiny-edge", {"time.intervals": 40})


@pytest.fixture
def folder(tmp_path, scenario):
    return write_agent(tmp_path / "agent", scenario)


def test_what_was_written_is_loaded(folder, scenario):
    bundle = load_bundle(folder)
    wanted = random_policy(scenario)

    assert wanted.architecture == bundle.policy.architecture
    assert wanted.tuned == bundle.policy.tuned
    assert all(
        (bundle.policy.weights[name] == wanted.weights[name]).all() for name in wanted.weights
    )


def test_a_bundle_written_again_replaces_the_first(folder, scenario):
    before = load_bundle(folder).version
    write_agent(folder, scenario, random_policy(scenario, seed=1))

    assert before != load_bundle(folder).version
    assert [folder] == list(folder.parent.iterdir())


@pytest.mark.parametrize("name", part.PARTS_OF_A_BUNDLE)
def test_a_changed_part_is_refused(folder, name):
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]) if data else b"x")

    with pytest.raises(BundleError, match=rf"{name}: does not have the hash"):
        load_bundle(folder)


@pytest.mark.parametrize("name", [part.WEIGHTS, part.CARD])
def test_a_missing_part_is_named(folder, name):
    (folder / name).unlink()

    with pytest.raises(BundleError, match=rf"{name}: cannot be read"):
        load_bundle(folder)


def test_a_link_is_refused(folder, tmp_path):
    (folder / part.CARD).rename(tmp_path / "elsewhere")
    (folder / part.CARD).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(BundleError, match="is a link"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["../card.md", "sub/card.md", ".hidden"])
def test_a_part_outside_the_folder_is_refused(folder, name):
    table = json.loads((folder / part.MANIFEST).read_text())
    table["files"][name] = table["files"][part.CARD]
    (folder / part.MANIFEST).write_text(json.dumps(table))

    with pytest.raises(BundleError, match="is no plain file name"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["/card.md", "a\\b", "card.md:x", "a b", "", "card.md\n"])
def test_names_that_are_not_plain_are_refused_on_every_system(folder, name):
    table = json.loads((folder / part.MANIFEST).read_text())
    table["files"][name] = table["files"][part.CARD]
    (folder / part.MANIFEST).write_text(json.dumps(table))

    with pytest.raises(BundleError, match="is no plain file name"):
        load_bundle(folder)


@pytest.mark.parametrize("name", [part.MANIFEST, part.CARD])
@pytest.mark.parametrize("make", ["link", "pipe", "folder"])
def test_only_plain_files_are_read(folder, tmp_path, name, make):
    (folder / name).rename(tmp_path / "elsewhere")
    if make == "link":
        (folder / name).symlink_to(tmp_path / "elsewhere")
    elif make == "folder":
        (folder / name).mkdir()
    else:
        os.mkfifo(folder / name)

    with pytest.raises(BundleError, match=r"is a link, no plain file|is no folder with a"):
        load_bundle(folder)


def test_a_link_put_there_after_the_look_is_not_followed(folder, tmp_path, monkeypatch):
    (folder / part.CARD).rename(tmp_path / "elsewhere")
    (folder / part.CARD).symlink_to(tmp_path / "elsewhere")
    monkeypatch.setattr(type(folder), "is_symlink", lambda _: False)

    with pytest.raises(BundleError, match=r"card\.md: cannot be read"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("name", "most"), [(part.MANIFEST, part.MOST_MANIFEST_BYTES), (part.CARD, part.MOST_BYTES)]
)
def test_a_part_that_is_too_large_is_refused_unread(folder, name, most):
    with (folder / name).open("r+b") as opened:
        opened.truncate(most + 1)

    with pytest.raises(BundleError, match=f"{name}: is .* larger than {most} bytes"):
        load_bundle(folder)


@pytest.mark.parametrize("name", [part.CARD, part.GOLDEN])
def test_a_list_of_more_than_is_read_is_refused(folder, name):
    table = json.loads((folder / part.MANIFEST).read_text())
    table["files"][name]["bytes"] = part.MOST_BYTES
    (folder / part.MANIFEST).write_text(json.dumps(table))

    with pytest.raises(BundleError, match=r"manifest\.json: lists \d+ bytes"):
        load_bundle(folder)


def test_a_manifest_without_a_part_is_refused(folder):
    table = json.loads((folder / part.MANIFEST).read_text())
    del table["files"][part.GOLDEN]
    (folder / part.MANIFEST).write_text(json.dumps(table))

    with pytest.raises(BundleError, match=r"lists no golden\.safetensors"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"schema": 2}, "schema"),
        ({"hidden": "many"}, "hidden"),
        ({"surprise": 1}, "surprise"),
        ({"tuned": {"forecast": {"alpha": float("nan")}}}, r"tuned\.forecast\.alpha"),
        ({"tuned": {"forecast": {"alpa": 0.3}}}, "'alpha'"),
        ({"tuned": {"forcast": {}}}, "'forecast'"),
        ({"tuned": {"forecast": {"quantile": 7.0}}}, "quantile: got 7"),
        ({"hidden": 10**9}, "hidden"),
        ({"rounds": 10**9}, "rounds"),
        ({"rounds": -1}, "rounds"),
        ({"network": "b4e1"}, "network"),
        ({"name": "\x1b[2J"}, "name"),
        ({"files": {f"part-{n}": {"sha256": 64 * "0", "bytes": 0} for n in range(17)}}, "files"),
        ({"training": MADE.model_dump() | {"seconds": float("inf")}}, r"training\.seconds"),
    ],
)
def test_a_broken_manifest_names_the_key(folder, change, text):
    table = json.loads((folder / part.MANIFEST).read_text())
    (folder / part.MANIFEST).write_text(json.dumps(table | change))

    with pytest.raises(BundleError, match=text):
        load_bundle(folder)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff", b"[]", b"[" * 100_000, b'{"tuned": ' + b'{"a": ' * 100_000, b"1" * 100_000],
)
def test_a_manifest_that_is_none_is_refused(folder, data):
    (folder / part.MANIFEST).write_bytes(data)

    with pytest.raises(BundleError, match=part.MANIFEST):
        load_bundle(folder)


def test_other_features_are_refused(tmp_path, scenario):
    write_agent(tmp_path / "a", scenario, features="0" * 64)

    with pytest.raises(BundleError, match="other features"):
        load_bundle(tmp_path / "a")


def rewritten(folder, scenario, name, data):
    policy = random_policy(scenario)
    parts = {**parts_of(scenario, policy), name: data}
    write_bundle(folder, manifest_of(scenario, policy, parts), parts)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"hidden": 9}, r"tells of .*hidden=9.*, the manifest of .*hidden=8"),
        ({"rounds": 2}, r"tells of .*rounds=2"),
        ({"history": False}, r"tells of .*history=False"),
        ({"history": 1}, r"history: .*boolean"),
        ({"surprise": 1}, r"surprise"),
        ({"hidden": 10**9}, r"hidden"),
    ],
)
def test_an_architecture_that_is_told_in_two_ways_is_refused(tmp_path, scenario, change, text):
    told = {"hidden": 8, "rounds": 1, "history": True} | change
    rewritten(tmp_path / "a", scenario, part.ARCHITECTURE, json.dumps(told).encode())

    with pytest.raises(BundleError, match=rf"architecture\.json.*{text}"):
        load_bundle(tmp_path / "a")


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"[" * 100_000, b'{"hidden": 8}'])
def test_an_architecture_that_is_none_is_refused(tmp_path, scenario, data):
    rewritten(tmp_path / "a", scenario, part.ARCHITECTURE, data)

    with pytest.raises(BundleError, match=r"architecture\.json"):
        load_bundle(tmp_path / "a")


@pytest.mark.parametrize("graph", [b"", b"no graph"])
def test_a_graph_that_is_none_of_ours_is_refused(tmp_path, scenario, graph):
    rewritten(tmp_path / "a", scenario, part.ONNX, graph)

    with pytest.raises(BundleError, match=r"a/policy\.onnx.*export the run again"):
        load_bundle(tmp_path / "a")


@pytest.mark.parametrize("name", [part.MANIFEST, part.SIGNATURE])
def test_a_manifest_that_lists_itself_is_refused(folder, name):
    table = json.loads((folder / part.MANIFEST).read_text())
    table["files"][name] = table["files"][part.CARD]
    (folder / part.MANIFEST).write_text(json.dumps(table))

    with pytest.raises(BundleError, match="is no plain file name of a part"):
        load_bundle(folder)


def test_weights_that_are_not_finite_are_refused(tmp_path, scenario):
    weights = dict(random_policy(scenario).weights)
    weights["demand.in.bias"] = weights["demand.in.bias"] * np.float32(np.nan)
    rewritten(tmp_path / "a", scenario, part.WEIGHTS, tensors_to_bytes(weights))

    with pytest.raises(BundleError, match=r"'demand\.in\.bias' holds numbers that are not finite"):
        load_bundle(tmp_path / "a")


def test_weights_of_another_shape_are_refused(tmp_path, scenario):
    weights = dict(random_policy(scenario).weights)
    weights["demand.in.bias"] = weights["demand.in.bias"][:-1]
    rewritten(tmp_path / "a", scenario, part.WEIGHTS, tensors_to_bytes(weights))

    with pytest.raises(BundleError, match=r"'demand\.in\.bias' has shape \(7,\), expected \(8,\)"):
        load_bundle(tmp_path / "a")


def test_weights_of_another_type_are_refused(tmp_path, scenario):
    weights = dict(random_policy(scenario).weights)
    weights["demand.in.bias"] = weights["demand.in.bias"].astype(np.float64)
    rewritten(tmp_path / "a", scenario, part.WEIGHTS, tensors_to_bytes(weights))

    with pytest.raises(BundleError, match=r"'demand\.in\.bias' holds float64, expected float32"):
        load_bundle(tmp_path / "a")


def test_other_weights_do_not_reproduce_the_golden_vectors(tmp_path, scenario):
    other = tensors_to_bytes(random_policy(scenario, seed=9).weights)
    rewritten(tmp_path / "a", scenario, part.WEIGHTS, other)

    with pytest.raises(BundleError, match="decides otherwise"):
        load_bundle(tmp_path / "a")


@pytest.mark.parametrize("name", ["capacity_gbps", "hops", "rates_gbps"])
def test_golden_vectors_that_lack_an_array_are_refused(tmp_path, scenario, name):
    stored = tensors_from_bytes(parts_of(scenario, random_policy(scenario))[part.GOLDEN], "here")
    del stored[name]
    rewritten(tmp_path / "a", scenario, part.GOLDEN, tensors_to_bytes(stored))

    with pytest.raises(BundleError, match=f"holds no '{name}'"):
        load_bundle(tmp_path / "a")


FITS = {
    "want_gbps": lambda values: values[:-1],
    "weight": lambda values: values.astype(np.float64),
    "split": lambda values: values[0],
    "action": lambda values: values[:, :-1],
    "demands": lambda values: values[:, :, :1],
    "globals": lambda values: values[:-1],
    "hops": lambda values: values.astype(np.float32),
}


@pytest.mark.parametrize("name", FITS)
def test_golden_vectors_that_do_not_fit_each_other_are_refused(tmp_path, scenario, name):
    stored = golden_of(scenario)
    stored[name] = FITS[name](stored[name])
    rewritten(tmp_path / "a", scenario, part.GOLDEN, tensors_to_bytes(stored))

    with pytest.raises(BundleError, match="do not fit each other"):
        load_bundle(tmp_path / "a")


@pytest.mark.parametrize("link", [-1, 10**6])
def test_golden_vectors_over_links_that_are_none_are_refused(tmp_path, scenario, link):
    stored = golden_of(scenario)
    stored["hops"][0, 0] = link
    rewritten(tmp_path / "a", scenario, part.GOLDEN, tensors_to_bytes(stored))

    with pytest.raises(BundleError, match="'hops' names links beyond"):
        load_bundle(tmp_path / "a")


def test_empty_arrays_do_not_hide_a_size_that_fills_the_memory(tmp_path, scenario):
    stored = golden_of(scenario)
    shapes = {name: values.shape[:-1] for name, values in stored.items() if name != "hops"}
    shapes |= {"capacity_gbps": (10**12,), "links": (*shapes["links"][:1], 10**12)}
    empty = {name: np.empty((*shape, 0), np.float32) for name, shape in shapes.items()}
    rewritten(
        tmp_path / "a", scenario, part.GOLDEN, tensors_to_bytes({**empty, "hops": stored["hops"]})
    )

    with pytest.raises(BundleError, match="do not fit each other"):
        load_bundle(tmp_path / "a")


def golden_of(scenario):
    return tensors_from_bytes(parts_of(scenario, random_policy(scenario))[part.GOLDEN], "here")


SPOILT = st.lists(
    st.tuples(
        st.integers(0, 1500), st.integers(0, 12), st.text('0123456789{}[]",:-e', max_size=12)
    ),
    min_size=1,
    max_size=3,
)
"""Where, how many bytes go, and what takes their place; mostly at the head of a part."""


@cache
def sound():
    scenario = load_scenario("tiny-edge", {"time.intervals": 40})
    policy = random_policy(scenario)
    return scenario, policy, parts_of(scenario, policy)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([part.GOLDEN, part.WEIGHTS, part.ARCHITECTURE, part.MANIFEST]), SPOILT)
def test_parts_with_the_right_hash_are_refused_or_sound(tmp_path_factory, name, changes):
    """Whoever has no key to fear can list the hash of anything."""
    scenario, policy, parts = sound()
    data = parts.get(name) or manifest_of(scenario, policy, parts).to_bytes()
    for at, gone, new in changes:
        data = data[:at] + new.encode() + data[at + gone :]
    whole = {**parts, name: data}
    if name != part.MANIFEST:
        whole[part.MANIFEST] = manifest_of(scenario, policy, whole).to_bytes()
    folder = tmp_path_factory.mktemp("spoilt") / "agent"
    write_parts(folder, whole)
    try:
        found = load_bundle(folder)
    except BundleError as error:
        assert str(error).startswith(str(folder))  # noqa: PT017 - the message, where there is one
        return
    assert whole[name] in (found.head, found.parts.get(name))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["demand.out.bias", "tunnel.out.weight"])
def test_weights_that_overflow_are_refused_without_a_warning(tmp_path, scenario, name):
    weights = {
        key: np.full_like(value, 3e38) if key in (name, "demand.in.weight") else value
        for key, value in random_policy(scenario).weights.items()
    }
    rewritten(tmp_path / "a", scenario, part.WEIGHTS, tensors_to_bytes(weights))

    with pytest.raises(BundleError, match="decides otherwise"):
        load_bundle(tmp_path / "a")


@pytest.mark.parametrize("name", ["rates_gbps", "action"])
def test_what_is_no_number_is_no_small_difference(name):
    right = {"rates_gbps": np.ones((2, 1, 3)), "action": np.ones((2, 4, 3))}
    wrong = {**right, name: right[name] * np.nan}

    assert np.isnan(difference(wrong, right, np.ones((1, 3))))
    assert 0 == difference(right, right, np.ones((1, 3)))


def test_a_session_of_a_bundle_decides_as_its_rule(folder, scenario):
    bundle, network = load_bundle(folder), scenario.network
    session, rule = bundle.bind(network, clock=ReplayClock()), bundle.rule(network)
    simulator, episodes = Simulator(scenario), Episodes([draw_world(scenario, "test", 0)])
    state = simulator.start(1)
    readings = simulator.first_readings(state, episodes)
    rule.reset(1)
    for _ in range(5):
        rates = rule.decide(readings)
        decision = session.decide(telemetry_of(network, readings))
        np.testing.assert_allclose(rates[:, :, 0], decision.rates_gbps, rtol=1e-4, atol=1e-5)
        assert ("policy", bundle.version) == (decision.source, decision.policy_version)
        step = simulator.step(state, rates, episodes)
        state, readings = step.state, step.readings


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_nothing_but_a_bundle_is_replaced(tmp_path, scenario, kind):
    place = tmp_path / "run"
    kept = place / "best.safetensors" if kind == "folder" else place
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("weeks of work")

    with pytest.raises(BundleError, match="is no bundle and would be replaced"):
        write_agent(place, scenario)
    assert "weeks of work" == kept.read_text()


def test_a_bundle_that_cannot_be_put_in_place_leaves_the_one_before(folder, scenario, monkeypatch):
    before, replace = load_bundle(folder).version, os.replace

    def fail(source, target):
        if target == folder and source.name == "new":
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        write_agent(folder, scenario, random_policy(scenario, seed=1))

    assert before == load_bundle(folder).version
    assert [folder] == list(folder.parent.iterdir())


def test_an_unknown_name_gets_the_nearest(monkeypatch, folder):
    monkeypatch.setattr(agents, "_shipped", lambda: folder.parent)

    with pytest.raises(UnknownNameError, match="agent"):
        load_bundle("agnt")


def test_a_path_without_a_bundle_says_so(tmp_path):
    with pytest.raises(BundleError, match=r"is no folder with a manifest\.json"):
        load_bundle(str(tmp_path) + os.sep)


def test_golden_vectors_are_kept_exactly(scenario):
    policy = random_policy(scenario)
    given = [one | decide_plainly(policy, one) for one in decisions(scenario, policy)]
    stored = tensors_from_bytes(golden_bytes(given), "here")

    for row, one in enumerate(given):
        assert (stored["rates_gbps"][..., row : row + 1] == one["rates_gbps"]).all()
