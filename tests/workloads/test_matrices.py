"""Traffic matrices: what the readers take and refuse, and how they are replayed."""

import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from bwalloc.errors import TraceError, UnknownNameError
from bwalloc.workloads import Clock, read_matrices, replay_matrices

DATA = Path(__file__).parents[3] / "shared" / "data" / "te" / "traffic"
ABILENE, GEANT = DATA / "redte_abilene_valid500.npz", DATA / "figret_geant_week7.npz"
real = pytest.mark.skipif(not ABILENE.exists(), reason=f"no matrices at {DATA}")

XML = """<?xml version="1.0" encoding="ISO-8859-1"?>
<network xmlns="http://sndlib.zib.de/network" version="1.0">
 <meta><granularity>5min</granularity><time>{time}</time><unit>MBITPERSEC</unit></meta>
 <networkStructure>
  <nodes coordinatesType="geographical">
   <node id="A"><coordinates><x>1</x><y>2</y></coordinates></node>
   <node id="B"><coordinates><x>2</x><y>2</y></coordinates></node>
   <node id="C"><coordinates><x>3</x><y>2</y></coordinates></node>
  </nodes>
 </networkStructure>
 <demands>
  <demand id="A_B"><source>A</source><target>B</target><demandValue>{ab}</demandValue></demand>
  <demand id="B_A"><source> B </source><target>A</target><demandValue>2.0</demandValue></demand>
 </demands>
</network>
"""


def xml(minute, ab=1.0):
    return XML.format(time=f"20040301-{minute:04d}", ab=ab)


def folder(tmp_path, *minutes, ends=".xml"):
    for minute in minutes:
        text = xml(minute, ab=minute / 5).encode()
        data = gzip.compress(text) if ends.endswith("gz") else text
        (tmp_path / f"demandMatrix-made-up-{minute:04d}{ends}").write_bytes(data)
    return tmp_path


def archive(tmp_path, **arrays):
    path = tmp_path / "made-up.npz"
    np.savez(path, **arrays)
    return path


def waves(times=140, nodes=3, step_s=300.0):
    """Matrices whose pair `p` carries p + 1 in the mean, half as much again at its peak."""
    pair = np.arange(1, nodes * nodes + 1).reshape(nodes, nodes)
    day = 1.0 + 0.5 * np.sin(2 * np.pi * np.arange(times) / 14)
    return {"tm": day[:, None, None] * pair, "step_s": step_s}


@pytest.mark.parametrize("ends", [".xml", ".xml.gz"])
def test_sndlib_xml_is_read_in_the_order_of_its_times(tmp_path, ends):
    series = read_matrices(folder(tmp_path, 15, 5, 10, 30, ends=ends))

    assert ("A", "B", "C") == series.nodes
    assert [0.0, 300.0, 600.0, 1500.0] == series.t_s.tolist()
    assert [1.0, 2.0, 3.0, 6.0] == series.load[:, 0, 1].tolist()
    assert {2.0} == set(series.load[:, 1, 0])
    assert 0.0 == series.load[:, 2].sum()


def test_the_archive_as_downloaded_reads_like_its_folder(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    packed = tmp_path / "all.tgz"
    with tarfile.open(packed, "w:gz") as file:
        for path in sorted(folder(inside, 5, 10, 15).iterdir()):
            data = path.read_bytes()
            info = tarfile.TarInfo(f"directed-made-up/{path.name}")
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))

    one, two = read_matrices(packed), read_matrices(inside)
    np.testing.assert_array_equal(one.load, two.load)
    assert one.sha256 == two.sha256


def test_times_may_stand_in_the_names_of_the_files(tmp_path):
    for minute in ("0000", "0015"):
        text = xml(0).replace("<time>20040301-0000</time>", "")
        (tmp_path / f"demandMatrix-geant-uhlig-15min-20050504-{minute}.xml").write_text(text)

    assert [0.0, 900.0] == read_matrices(tmp_path).t_s.tolist()


def test_archives_name_their_step_or_are_told(tmp_path):
    said = read_matrices(archive(tmp_path, **waves(step_s=900.0)))
    told = read_matrices(archive(tmp_path, tm=waves()["tm"]), step_s=60.0)
    alone = read_matrices(archive(tmp_path, load=waves()["tm"]), step_s=60.0)

    assert 900.0 == said.t_s[1]
    assert 60.0 == told.t_s[1] == alone.t_s[1]
    assert () == said.nodes
    assert np.float32 == said.load.dtype


WRONG = {
    "no step": (lambda d: archive(d, tm=np.ones((3, 2, 2))), "PATH#300"),
    "flat": (lambda d: archive(d, tm=np.ones((3, 4)), step_s=1.0), r"only tm \(3, 4\), step_s"),
    "not square": (lambda d: archive(d, tm=np.ones((3, 4, 5)), step_s=1.0), "node, node"),
    "negative": (lambda d: archive(d, tm=-np.ones((3, 2, 2)), step_s=1.0), "got -1, must be 0"),
    "nan": (lambda d: archive(d, tm=np.full((3, 2, 2), np.nan), step_s=1.0), "matrix 0.*got nan"),
    "one": (lambda d: archive(d, tm=np.ones((1, 2, 2)), step_s=1.0), "must be 2 or more"),
    "step 0": (lambda d: archive(d, tm=np.ones((3, 2, 2)), step_s=0.0), "got 0 s between"),
    "names": (
        lambda d: archive(d, tm=np.ones((3, 2, 2)), step_s=1.0, nodes=["a"]),
        "1 names in 'nodes', must be 2",
    ),
    "pickle": (lambda d: archive(d, tm=np.array([{}, {}], object)), "no archive of plain arrays"),
    "no xml": (lambda d: d, r"holds no \.xml"),
    "absent": (lambda d: d / "none.tgz", "cannot be read"),
    "absent npz": (lambda d: d / "none.npz", "cannot be read"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_refused_with_the_remedy(tmp_path, name):
    make, match = WRONG[name]
    with pytest.raises(TraceError, match=match):
        read_matrices(make(tmp_path))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (xml(5)[:-40], "is no XML"),
        (xml(5).replace("<target>B</target>", ""), r"demand 'A_B': has no <target>"),
        (xml(5, ab="much"), "from 'A' to 'B': got 'much', must be a number"),
        (xml(5).split("<demands>")[0] + "</network>", r"has no <demand>"),
        (xml(5).replace("<time>20040301-0005</time>", ""), r"'b.xml' does not say when"),
        (xml(0), "two matrices of the same minute"),
    ],
)
def test_wrong_xml_is_refused_with_its_name(tmp_path, text, match):
    (tmp_path / "a.xml").write_text(xml(0))
    (tmp_path / "b.xml").write_text(text)
    with pytest.raises(TraceError, match=match):
        read_matrices(tmp_path)


@pytest.mark.parametrize(
    ("name", "data"), [("a.npz", b"PK\x03\x04 cut"), ("a.tgz", b"\x1f\x8b\x08")]
)
def test_a_damaged_archive_is_refused(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(TraceError, match="cannot be read"):
        read_matrices(path)


def named(tmp_path):
    return read_matrices(archive(tmp_path, **waves(), nodes=["A", "B", "C"]))


def test_demands_between_nodes_follow_their_own_pair(tmp_path):
    assert [1, 5] == named(tmp_path).pairs_of([("A", "B"), ("B", "C")]).tolist()


def test_demands_of_another_network_follow_the_busiest_pairs(tmp_path):
    ends = [("edge-1", "cloud"), ("edge-2", "cloud"), ("edge-3", "cloud")]

    assert [8, 7, 6] == named(tmp_path).pairs_of(ends).tolist()
    assert 5 == len(set(named(tmp_path).pairs_of([("x", "y")] * 5).tolist()))
    assert 12 == named(tmp_path).pairs_of([("x", "y")] * 12).size


def test_pairs_that_cannot_be_followed_are_refused(tmp_path):
    with pytest.raises(TraceError, match=r"has no node 'D'.* all of them or none"):
        named(tmp_path).pairs_of([("A", "D")])
    silent = waves()
    silent["tm"][:, 0, 1] = 0.0
    series = read_matrices(archive(tmp_path, **silent, nodes=["A", "B", "C"]))
    with pytest.raises(TraceError, match="carries nothing from 'A' to 'B'"):
        series.pairs_of([("A", "B")])


def replay(series, split="train", seed=0, clock=None):
    pairs = np.array([1, 5])
    clock = clock or Clock(600, 10.0)
    return replay_matrices(series, pairs, split, np.random.default_rng(seed), clock)


def test_pairs_keep_their_mean_and_move_together(tmp_path):
    series = named(tmp_path)
    whole = np.concatenate([replay(series, seed=seed) for seed in range(40)])

    assert 1.0 == pytest.approx(whole.mean(), rel=0.1)
    np.testing.assert_allclose(whole[:, 0], whole[:, 1], rtol=1e-5)
    assert 1.4 < whole.max() <= 1.6


def test_a_split_plays_its_own_segment_of_the_matrices(tmp_path):
    tm = np.repeat(np.arange(1.0, 101.0), 9).reshape(100, 3, 3)
    series = read_matrices(archive(tmp_path, tm=tm, step_s=60.0))
    ranges = {}
    for split in ("train", "validation", "test"):
        played = np.concatenate([replay(series, split, seed) for seed in range(20)]) * tm.mean()
        ranges[split] = played.min(), played.max()

    assert 1.0 <= ranges["train"][0] < 5
    assert 65 < ranges["train"][1] <= 71
    assert 70 <= ranges["validation"][0]
    assert ranges["validation"][1] <= 81
    assert 80 <= ranges["test"][0]
    assert 95 < ranges["test"][1] <= 100


def test_matrices_are_joined_by_straight_lines(tmp_path):
    tm = np.repeat(np.arange(1.0, 101.0), 9).reshape(100, 3, 3)
    series = read_matrices(archive(tmp_path, tm=tm, step_s=600.0))
    played = replay(series, clock=Clock(360, 10.0))[:, 0]
    steps = np.diff(played)

    assert np.median(steps) == pytest.approx(10.0 / 600.0 / tm.mean(), rel=1e-3)


def test_a_segment_of_one_matrix_is_refused(tmp_path):
    series = read_matrices(archive(tmp_path, **waves(times=4)))
    with pytest.raises(TraceError, match="less than two matrices for the validation split"):
        replay(series, "validation")
    with pytest.raises(UnknownNameError, match="validation"):
        replay(series, "validaton")


@real
@pytest.mark.parametrize(("path", "rows", "nodes"), [(ABILENE, 500, 12), (GEANT, 677, 22)])
def test_the_public_matrices_are_read_and_played(path, rows, nodes):
    series = read_matrices(path, step_s=900.0)
    pairs = series.pairs_of([("edge", "cloud")] * 30)
    day = Clock(2880, 30.0)
    played = [
        replay_matrices(series, pairs, "train", np.random.default_rng(seed), day)
        for seed in range(10)
    ]

    assert (rows, nodes, nodes) == series.load.shape
    assert 1.0 == pytest.approx(np.mean(played), rel=0.15)
    assert 0.1 < np.concatenate(played).std(0).mean() < 2.0
