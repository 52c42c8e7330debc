"""Bundles are checked before anything of them runs."""

import json
import os

import numpy as np
import pytest
from policies import decisions, manifest_of, parts_of, random_policy, write_agent

from bwalloc.errors import BundleError, UnknownNameError
from bwalloc.scenario import load_scenario
from bwalloc.serve import agents, load_bundle, write_bundle
from bwalloc.serve import manifest as part
from bwalloc.serve.golden import decide_plainly, golden_bytes
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
        ({"tuned": {"forecast": {"x": float("nan")}}}, "tuned"),
    ],
)
def test_a_broken_manifest_names_the_key(folder, change, text):
    table = json.loads((folder / part.MANIFEST).read_text())
    (folder / part.MANIFEST).write_text(json.dumps(table | change))

    with pytest.raises(BundleError, match=text):
        load_bundle(folder)


def test_other_features_are_refused(tmp_path, scenario):
    write_agent(tmp_path / "a", scenario, features="0" * 64)

    with pytest.raises(BundleError, match="other features"):
        load_bundle(tmp_path / "a")


def rewritten(folder, scenario, name, data):
    policy = random_policy(scenario)
    parts = {**parts_of(scenario, policy), name: data}
    write_bundle(folder, manifest_of(scenario, policy, parts), parts)


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


def test_golden_vectors_that_do_not_fit_each_other_are_refused(tmp_path, scenario):
    stored = tensors_from_bytes(parts_of(scenario, random_policy(scenario))[part.GOLDEN], "here")
    stored["want_gbps"] = stored["want_gbps"][:-1]
    rewritten(tmp_path / "a", scenario, part.GOLDEN, tensors_to_bytes(stored))

    with pytest.raises(BundleError, match="do not fit each other"):
        load_bundle(tmp_path / "a")


def test_a_signature_is_checked(folder, tmp_path):
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    from bwalloc.serve.signature import sign

    keys = [ed25519.Ed25519PrivateKey.generate() for _ in range(2)]
    for name, key in zip(("mine", "other"), keys, strict=True):
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (tmp_path / f"{name}.pem").write_bytes(private)
        (tmp_path / f"{name}.pub").write_bytes(public)
    signature = sign((folder / part.MANIFEST).read_bytes(), tmp_path / "mine.pem")
    (folder / part.SIGNATURE).write_bytes(signature)

    assert "test-agent" == load_bundle(folder, key=tmp_path / "mine.pub").name
    with pytest.raises(BundleError, match="was not made with"):
        load_bundle(folder, key=tmp_path / "other.pub")


def test_a_key_wants_a_signature(folder, tmp_path):
    with pytest.raises(BundleError, match=r"manifest\.sig: cannot be read"):
        load_bundle(folder, key=tmp_path / "any.pub")


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
