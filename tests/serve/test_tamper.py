"""Whoever changes any part of a signed bundle is found out, in either form."""

import json
from dataclasses import asdict

import pytest
from keys import new_key
from policies import manifest_of, parts_of, random_policy

from bwalloc.errors import BundleError
from bwalloc.scenario import load_scenario
from bwalloc.serve import load_bundle, write_bundle
from bwalloc.serve.bundles import manifest as part
from bwalloc.serve.bundles.archive import SUFFIX, archive_parts
from bwalloc.serve.bundles.parts import write_parts
from bwalloc.serve.bundles.signature import sign

NAMES = (*part.PARTS_OF_A_BUNDLE, part.MANIFEST, part.SIGNATURE)
FORMS = {"folder": "agent", "file": f"agent{SUFFIX}"}
PLACES = (0.0, 0.03, 0.5, 0.97, 1.0)
"""Where a bit is flipped, as a share of a part."""


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    pytest.importorskip("cryptography", reason="cryptography comes with bwalloc[sign]")
    folder = tmp_path_factory.mktemp("keys")
    return {name: new_key(folder, name) for name in ("mine", "other")}


@pytest.fixture(scope="module")
def signed(keys, tmp_path_factory):
    """Parts of a bundle of mine, and of one that another key has signed."""
    scenario = load_scenario("tiny-edge", {"time.intervals": 40})
    folder = tmp_path_factory.mktemp("signed")
    return {
        name: parts_signed(scenario, folder / f"{name}{SUFFIX}", keys[name], seed)
        for seed, name in enumerate(keys)
    }


def parts_signed(scenario, file, key, seed):
    """Every part differs with the seed; none is empty."""
    policy = random_policy(scenario, seed=seed)
    architecture = json.dumps(asdict(policy.architecture), indent=seed)
    parts = parts_of(scenario, policy) | {
        part.ARCHITECTURE: architecture.encode(),
        part.RECIPE: f"seed = {seed}\n".encode(),
        part.CARD: f"card {seed}\n".encode(),
    }
    manifest = manifest_of(scenario, policy, parts)
    write_bundle(file, manifest, parts, sign(manifest.to_bytes(), key.private))
    assert "test-agent" == load_bundle(file, key=key.public).name
    return archive_parts(file.read_bytes(), str(file))


def flipped(place):
    def change(data, other):
        at = int(place * (len(data) - 1))
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    return change


CHANGES = {
    **{f"a bit flipped at {place:.0%}": flipped(place) for place in PLACES},
    "the last byte cut off": lambda data, other: data[:-1],
    "half of it cut off": lambda data, other: data[: len(data) // 2],
    "all of it cut off": lambda data, other: b"",
    "a line appended": lambda data, other: data + b"\n",
    "a byte put before it": lambda data, other: b"\0" + data,
    "that of another bundle": lambda data, other: other,
    "removed": lambda data, other: None,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", CHANGES)
def test_a_changed_part_is_found_out(signed, keys, tmp_path, form, name, how):
    changed = CHANGES[how](signed["mine"][name], signed["other"][name])
    assert changed != signed["mine"][name]
    parts = {**signed["mine"], name: changed}
    place = written(tmp_path / FORMS[form], parts)

    with pytest.raises(BundleError, match=rf"agent.*({name}|signature)"):
        load_bundle(place, key=keys["mine"].public)


def written(place, parts):
    """Without the check that a bundle is written only where there is one, and whole."""
    kept = {name: data for name, data in parts.items() if data is not None}
    if place.suffix == SUFFIX:
        write_parts(place, kept)
    else:
        place.mkdir()
        for name, data in kept.items():
            (place / name).write_bytes(data)
    return place if part.MANIFEST in kept or place.suffix else str(place) + "/"


@pytest.mark.parametrize("form", FORMS)
def test_what_was_not_changed_is_loaded(signed, keys, tmp_path, form):
    place = written(tmp_path / FORMS[form], signed["mine"])

    assert "test-agent" == load_bundle(place, key=keys["mine"].public).name


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kept", [(), (part.SIGNATURE,)], ids=["all of it", "all but my signature"])
def test_another_bundle_in_its_place_is_found_out(signed, keys, tmp_path, form, kept):
    parts = {**signed["other"], **{name: signed["mine"][name] for name in kept}}
    place = written(tmp_path / FORMS[form], parts)

    with pytest.raises(BundleError, match="the signature was not made with"):
        load_bundle(place, key=keys["mine"].public)


STRAY = [(form, name) for form in FORMS for name in ("policy.so", "card.md.bak", "part-2")]


@pytest.mark.parametrize(("form", "name"), [*STRAY, ("folder", ".hidden")])
def test_a_part_that_nobody_listed_is_found_out(signed, keys, tmp_path, form, name):
    place = written(tmp_path / FORMS[form], {**signed["mine"], name: b"anything"})

    with pytest.raises(BundleError, match=rf"{name}: is not listed in the manifest"):
        load_bundle(place, key=keys["mine"].public)


def test_a_folder_of_very_many_files_is_not_read(signed, keys, tmp_path):
    place = written(tmp_path / "agent", signed["mine"])
    for number in range(200):
        (place / f"x{number}").write_bytes(b"")

    with pytest.raises(BundleError, match="is not listed in the manifest"):
        load_bundle(place, key=keys["mine"].public)


def test_without_a_key_the_hashes_still_find_out_a_changed_part(signed, tmp_path):
    parts = {**signed["mine"], part.CARD: b"better numbers\n"}
    place = written(tmp_path / "agent", parts)

    with pytest.raises(BundleError, match=r"card\.md: does not have the hash"):
        load_bundle(place)
