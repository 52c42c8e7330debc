"""From one form of a bundle into the other, on the command line."""

import pytest
from keys import new_key

from bwalloc.cli import main
from bwalloc.serve import load_bundle
from bwalloc.serve.bundles.manifest import SIGNATURE

AGENT = "metro-inference"


@pytest.fixture
def key(tmp_path):
    pytest.importorskip("cryptography", reason="cryptography comes with bwalloc[sign]")
    return new_key(tmp_path, "key")


def test_an_agent_becomes_a_signed_file_and_a_folder_again(tmp_path, key, capsys):
    file, folder = tmp_path / "x.bwalloc", tmp_path / "y"
    assert not main(["pack", AGENT, "--out", str(file), "--sign-key", str(key.private)])
    assert "signed" in capsys.readouterr().out
    assert not main(["pack", str(file), "--out", str(folder), "--key", str(key.public)])
    assert "signature kept" in capsys.readouterr().out

    expected = load_bundle(AGENT)
    for place in (file, folder):
        found = load_bundle(place, key=key.public)
        assert (expected.parts, expected.head) == (found.parts, found.head)


def test_a_file_packed_twice_is_the_same(tmp_path):
    first, second = tmp_path / "1.bwalloc", tmp_path / "2.bwalloc"
    assert not main(["pack", AGENT, "--out", str(first)])
    assert not main(["pack", str(first), "--out", str(second)])

    assert first.read_bytes() == second.read_bytes()


def test_a_file_is_verified(tmp_path, key, capsys):
    file = tmp_path / "x.bwalloc"
    main(["pack", AGENT, "--out", str(file), "--sign-key", str(key.private)])

    assert not main(["verify", str(file), "--key", str(key.public), "--decisions", "2"])
    assert "signature is right" in capsys.readouterr().out


def test_signing_anew_replaces_the_signature(tmp_path, key):
    folder, other = tmp_path / "x", new_key(tmp_path, "other")
    for each in (key, other):
        assert not main(["pack", AGENT, "--out", str(folder), "--sign-key", str(each.private)])

    assert "metro-inference" == load_bundle(folder, key=other.public).name
    assert 64 == len((folder / SIGNATURE).read_bytes())


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["no-such-agent", "--out", "x"], "no-such-agent"),
        (["./nowhere.bwalloc", "--out", "x"], "no .bwalloc file"),
        ([AGENT, "--out", "busy"], "is no bundle and would be replaced"),
        ([AGENT, "--out", "file/x.bwalloc"], "is a file, not a folder"),
        ([AGENT, "--out", "x", "--sign-key", "none.pem"], "none.pem: cannot be read"),
        ([AGENT, "--out", "x", "--key", "none.pem"], "manifest.sig: is missing"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(tmp_path, capsys, monkeypatch, arguments, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "busy").mkdir()
    (tmp_path / "busy" / "work").write_text("weeks")
    (tmp_path / "file").write_text("")
    assert 2 == main(["pack", *arguments])
    shown = capsys.readouterr().err

    assert text in shown
    assert 1 == len(shown.strip().splitlines())
    assert {"busy", "file"} == {path.name for path in tmp_path.iterdir()}
