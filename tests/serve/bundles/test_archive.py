"""A bundle as one file, which can be written in only one way."""

import hashlib
import io
import subprocess
import zipfile
from shutil import which

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policies import random_policy, write_agent

from bwalloc.errors import BundleError
from bwalloc.files import write_atomically
from bwalloc.scenario import load_scenario
from bwalloc.serve import load_bundle
from bwalloc.serve.bundles import manifest as part
from bwalloc.serve.bundles.archive import (
    MAGIC,
    MOST_ARCHIVE_BYTES,
    MOST_ENTRIES,
    SUFFIX,
    archive_bytes,
    archive_parts,
)

PARTS = {"manifest.json": b"{}", "b.txt": b"bee", "a.txt": b"", "manifest.sig": bytes(64)}
FILE = archive_bytes(PARTS)


@pytest.fixture(scope="module")
def scenario():
    return load_scenario("tiny-edge", {"time.intervals": 40})


@pytest.fixture
def file(tmp_path, scenario):
    return write_agent(tmp_path / f"agent{SUFFIX}", scenario)


def zipped(*entries, **options):
    """A file as other tools write it; entries are names and data."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as archive:
        for name, data in entries:
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return buffer.getvalue()


def test_a_file_is_loaded_as_the_folder_is(file, tmp_path, scenario):
    folder = load_bundle(write_agent(tmp_path / "agent", scenario))
    found = load_bundle(file)

    assert folder.parts == found.parts
    assert (folder.manifest, folder.version) == (found.manifest, found.version)
    assert file == found.path


def test_a_name_that_ends_so_is_a_path(file, monkeypatch):
    monkeypatch.chdir(file.parent)

    assert "test-agent" == load_bundle(file.name).name


def test_the_same_parts_are_the_same_file_everywhere():
    """The hash is written down: a file of today must be read by every later version."""
    backwards = dict(reversed(PARTS.items()))

    assert archive_bytes(backwards) == FILE
    assert hashlib.sha256(FILE).hexdigest() == (
        "76a5a956c8ea260e5c90ecc2e9556fe7534878bc60d93b1b4df273018c2eab99"
    )


def test_what_is_checked_first_stands_first():
    assert ["manifest.json", "manifest.sig", "a.txt", "b.txt"] == list(archive_parts(FILE, "x"))


def test_python_reads_it_as_a_zip():
    with zipfile.ZipFile(io.BytesIO(FILE)) as archive:
        assert None is archive.testzip()
        assert {name: archive.read(name) for name in archive.namelist()} == PARTS


@pytest.mark.skipif(which("unzip") is None, reason="unzip is not installed")
def test_unzip_makes_the_folder_form_of_it(file, tmp_path):
    subprocess.run(["unzip", "-q", str(file), "-d", str(tmp_path / "out")], check=True)

    assert load_bundle(tmp_path / "out").parts == load_bundle(file).parts


def test_every_bit_of_it_counts():
    for at in range(len(FILE)):
        for bit in range(8):
            changed = bytearray(FILE)
            changed[at] ^= 1 << bit
            with pytest.raises(BundleError, match=r"^x.*refused"):
                archive_parts(bytes(changed), "x")


def test_every_end_of_it_counts():
    for end in range(len(FILE)):
        with pytest.raises(BundleError, match=r"^x.*refused"):
            archive_parts(FILE[:end], "x")


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(FILE)), st.integers(0, 60), st.binary(max_size=60))
def test_what_is_accepted_is_what_would_be_written(at, gone, new):
    data = FILE[:at] + new + FILE[at + gone :]
    try:
        found = archive_parts(data, "x")
    except BundleError:
        return
    assert data == archive_bytes(found)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_refused_and_nothing_else(data):
    for begin in (b"", MAGIC):
        with pytest.raises(BundleError, match=r"^x.*refused"):
            archive_parts(begin + data, "x")


def with_flag(data, bit):
    changed = bytearray(data)
    for magic, offset in ((MAGIC, 6), (b"PK\1\2", 8)):
        changed[data.index(magic) + offset] |= bit
    return bytes(changed)


def renamed(name):
    """Entries under a name of five letters."""
    return archive_bytes(PARTS).replace(b"b.txt", name)


FOREIGN = {
    "nothing": (b"", "is no .bwalloc file"),
    "an empty zip": (zipped(), "is no .bwalloc file"),
    "another file": (b"\x7fELF", "is no .bwalloc file"),
    "something before it": (b"#!/bin/sh\n" + FILE, "is no .bwalloc file"),
    "something behind it": (FILE + b"\n", "something was added"),
    "a comment": (FILE[:-2] + b"\x01\x00x", "something was added"),
    "encrypted": (with_flag(FILE, 1), "manifest.json: is encrypted"),
    "a late size": (with_flag(FILE, 8), "its checksum or its header is not right"),
    "an escaping name": (renamed(b"../bt"), r"'../bt' is no plain file name"),
    "an absolute name": (renamed(b"/.txt"), r"'/.txt' is no plain file name"),
    "a folder": (renamed(b"btxt/"), r"'btxt/' is no plain file name"),
    "another folder": (renamed(b"b\\txt"), r"is no plain file name"),
    "a hidden name": (renamed(b".btxt"), r"'.btxt' is no plain file name"),
    "a name with a line": (renamed(b"b\ntxt"), r"'b\\ntxt' is no plain file name"),
    "a name with an end": (renamed(b"b\0txt"), r"is no plain file name"),
    "a name beyond ASCII": (renamed("bétx".encode()), r"is no plain file name"),
    "a name twice": (renamed(b"a.txt"), "a.txt: stands twice"),
    "an archive inside": (
        archive_bytes({**PARTS, "c.zip": zipped(("a", b""), ("b", b"")) + FILE}),
        "c.zip: is an archive itself",
    ),
    "many": (
        archive_bytes({f"part-{number}": b"" for number in range(MOST_ENTRIES + 1)}),
        f"holds more than {MOST_ENTRIES} parts",
    ),
    "another order": (
        zipped(("b.txt", b""), ("a.txt", b"")),
        "parts stand in another order",
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_other_files_are_refused_by_what_is_wrong(name):
    data, text = FOREIGN[name]

    with pytest.raises(BundleError, match=rf"^x.*{text}"):
        archive_parts(data, "x")


def test_a_bomb_is_refused_before_it_inflates():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", bytes(32 * 2**20))
    assert len(buffer.getvalue()) < 2**16

    with pytest.raises(BundleError, match=r"manifest\.json: is compressed"):
        archive_parts(buffer.getvalue(), "x")


def test_a_size_that_is_not_so_is_refused():
    at = FILE.index(MAGIC) + 18
    for size in (1, 3, 2**31, 2**32 - 1):
        lie = FILE[:at] + size.to_bytes(4, "little") * 2 + FILE[at + 8 :]
        with pytest.raises(BundleError, match=r"cut off|header is not right"):
            archive_parts(lie, "x")


def test_a_file_that_is_too_large_is_refused_unread(file):
    with file.open("r+b") as opened:
        opened.truncate(MOST_ARCHIVE_BYTES + 1)

    with pytest.raises(BundleError, match=f"larger than {MOST_ARCHIVE_BYTES} bytes"):
        load_bundle(file)


def test_a_link_to_a_file_is_refused(file, tmp_path):
    link = tmp_path / f"link{SUFFIX}"
    link.symlink_to(file)

    with pytest.raises(BundleError, match="is a link"):
        load_bundle(link)


def test_a_part_that_is_not_there_is_named(file):
    parts = archive_parts(file.read_bytes(), "x")
    del parts[part.CARD]
    write_atomically(file, archive_bytes(parts))

    with pytest.raises(BundleError, match=r"card\.md: is not in the file"):
        load_bundle(file)


def test_a_manifest_that_is_too_large_is_refused(file):
    parts = archive_parts(file.read_bytes(), "x")
    parts[part.MANIFEST] += b" " * part.MOST_MANIFEST_BYTES
    write_atomically(file, archive_bytes(parts))

    with pytest.raises(BundleError, match=r"manifest\.json: is larger than"):
        load_bundle(file)


def test_a_file_written_again_replaces_the_first(file, scenario):
    before = load_bundle(file).version
    write_agent(file, scenario, random_policy(scenario, seed=1))

    assert before != load_bundle(file).version
    assert [file] == list(file.parent.iterdir())


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_nothing_but_a_bundle_is_replaced(tmp_path, scenario, kind):
    place = tmp_path / f"run{SUFFIX}"
    kept = place / "best.safetensors" if kind == "folder" else place
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("weeks of work")

    with pytest.raises(BundleError, match="is no bundle and would be replaced"):
        write_agent(place, scenario)
    assert "weeks of work" == kept.read_text()
