"""Readers of public matrices: splits that follow in time, units, and errors that name the place."""

import os
from pathlib import Path

import numpy as np
import pytest
from te_builders import ring_dataset, tiny_dataset, two_routes, write_folder

from bwalloc.bench.te.dataset import HISTORY, dataset_of, read_dataset
from bwalloc.bench.te.programme import SplitProgramme
from bwalloc.errors import BwallocError, TopologyError, TraceError, UnknownNameError


def test_splits_follow_each_other_and_do_not_overlap():
    splits = tiny_dataset().splits
    rows = np.concatenate([splits["train"], splits["validation"], splits["test"]])
    assert list(range(HISTORY, HISTORY + 48)) == rows.tolist()


def test_history_ends_right_before_the_target():
    dataset = ring_dataset()
    history = dataset.history(np.array([20, 33]))
    assert (HISTORY, dataset.network.n_demands, 2) == history.shape
    assert np.array_equal(dataset.load_gbps[32], history[-1, :, 1])
    assert np.array_equal(dataset.load_gbps[20 - HISTORY], history[0, :, 0])
    assert np.array_equal(dataset.load_gbps[33], dataset.coming(np.array([20, 33]))[0, :, 1])


def test_files_are_read_in_gbps(tmp_path):
    dataset = read_dataset("geant", write_folder(tmp_path))
    assert np.array_equal(np.ones(4, np.float32), dataset.network.capacity_gbps)
    np.testing.assert_allclose(0.5, dataset.load_gbps)
    assert [440, 60, 165] == [len(rows) for rows in dataset.splits.values()]
    assert [[True, True], [True, False]] == dataset.network.exists.tolist()


def test_an_unknown_dataset_is_named_with_the_nearest(tmp_path):
    with pytest.raises(UnknownNameError, match="Nearest: 'geant'"):
        read_dataset("geantt", tmp_path)


def test_a_missing_folder_and_a_missing_file_are_named(tmp_path):
    with pytest.raises(BwallocError, match="there is no such folder"):
        read_dataset("geant", tmp_path / "absent")
    with pytest.raises(BwallocError, match=r"lacks figret_GEANT\.json\.gz"):
        read_dataset("geant", tmp_path)


def test_matrices_of_another_network_are_refused(tmp_path):
    with pytest.raises(TraceError, match=r"shape \(677, 4, 4\), expected \(time, 3, 3\)"):
        read_dataset("geant", write_folder(tmp_path, np.ones((677, 4, 4))))


def test_an_archive_that_is_none_is_refused(tmp_path):
    folder = write_folder(tmp_path)
    (folder / "traffic" / "figret_geant_week7.npz").write_bytes(b"PK not an archive")
    with pytest.raises(TraceError, match="cannot be read as a NumPy archive"):
        read_dataset("geant", folder)


@pytest.mark.parametrize(
    ("loads", "message"),
    [
        (np.ones((40, 2)), "holds 40 matrices, 60 are needed"),
        (np.where(np.arange(120).reshape(60, 2) == 7, -1.0, 1.0), "matrix 3, pair 1 is -1.0"),
        (np.where(np.arange(120).reshape(60, 2) == 7, np.nan, 1.0), "matrix 3, pair 1 is nan"),
        (np.ones((60, 2)) * (np.arange(60) != 5)[:, None], "matrix 5 carries no load"),
    ],
)
def test_loads_that_make_no_sense_are_refused(loads, message):
    with pytest.raises(TraceError, match=message):
        dataset_of("two-routes", two_routes(), loads, (24, 12, 12))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 2 0-2", r"line 2: expected 'source target:site-site"),
        ("2 0:2-1-0", "line 2: the path 2-1-0 uses a link that the topology lacks"),
        ("0 1:0-1-2", "line 2: the path 0-1-2 does not lead from 0 to 1"),
        ("0 7:0-7", "line 2: the topology has no site '7'"),
        ("0 2:0-2", "lists a pair of sites twice"),
    ],
)
def test_tunnels_that_cannot_be_are_refused(tmp_path, line, message):
    folder = write_folder(tmp_path, tunnels=f"0 2:0-2,0-1-2\n{line}\n")
    with pytest.raises(TopologyError, match=message):
        read_dataset("geant", folder)


def test_the_optimum_of_geant_is_the_published_one():
    folder = os.environ.get("BWALLOC_TE_DATA")
    if not folder:
        pytest.skip("BWALLOC_TE_DATA names no folder with the GEANT week (docs/te.md)")
    dataset = read_dataset("geant", Path(folder))
    assert (462, 1386) == (dataset.network.n_demands, int(dataset.network.exists.sum()))
    file = next(Path(folder).rglob("figret_geant_week7.npz"))
    published = np.load(file)["opt_mlu"]
    programme = SplitProgramme(dataset.network)
    for row in (12, 300, 676):
        found = programme.solve(dataset.load_gbps[row : row + 1])[1]
        assert published[row] == pytest.approx(found, rel=1e-5)
