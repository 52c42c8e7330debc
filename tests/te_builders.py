"""A dataset of two parallel routes, small enough to know every answer."""

import gzip
import json

import numpy as np

from bwalloc.bench.te.dataset import dataset_of
from bwalloc.bench.te.tunnels import split_network

WIDE, NARROW = 3.0, 1.0


def two_routes():
    """Sites 0 to 2, and 1 to 2: pair (0, 2) may go by a wide or a narrow route, (1, 2) by one."""
    capacity = np.array([WIDE, NARROW, 10.0], np.float32)
    return split_network("two-routes", capacity, [(0, 2), (1, 2)], [[[0], [1]], [[2]]])


def loads(times=60, seed=0):
    rng = np.random.default_rng(seed)
    return np.stack([rng.uniform(1, 3, times), rng.uniform(0.1, 0.2, times)], 1)


def tiny_dataset(network=None, sizes=(24, 12, 12)):
    return dataset_of("two-routes", network or two_routes(), loads(), sizes)


def ring():
    """Four sites in a ring; every pair may go either way round; capacities differ by link."""
    links = {}
    for site in range(4):
        links[site, (site + 1) % 4] = len(links)
        links[(site + 1) % 4, site] = len(links)
    pairs = [(a, b) for a in range(4) for b in range(4) if a != b]
    tunnels = []
    for a, b in pairs:
        ways = []
        for step in (1, -1):
            at, path = a, []
            while at != b:
                path.append(links[at, (at + step) % 4])
                at = (at + step) % 4
            ways.append(path)
        tunnels.append(ways)
    capacity = np.linspace(1, 4, len(links)).astype(np.float32)
    return split_network("ring", capacity, pairs, tunnels)


def ring_dataset(times=70, sizes=(30, 14, 14), seed=1):
    rng = np.random.default_rng(seed)
    network = ring()
    return dataset_of("ring", network, rng.gamma(2.0, 0.3, (times, network.n_demands)), sizes)


def write_folder(folder, matrices=None, tunnels=None):
    """The three files of `geant`, about three sites instead of 22."""
    ends = [(0, 2), (0, 1), (1, 2), (2, 0)]
    graph = {
        "directed": True, "multigraph": False, "graph": {},
        "nodes": [{"id": site} for site in range(3)],
        "links": [{"source": a, "target": b, "capacity": 1e9} for a, b in ends],
    }  # fmt: skip
    (folder / "topologies").mkdir()
    (folder / "traffic").mkdir()
    text = tunnels or "0 2:0-2,0-1-2\n2 0:2-0\n"
    for name, content in (
        ("figret_GEANT.json.gz", json.dumps(graph)), ("figret_GEANT_tunnels.txt.gz", text)
    ):  # fmt: skip
        (folder / "topologies" / name).write_bytes(gzip.compress(content.encode()))
    matrices = np.full((677, 3, 3), 5e8) if matrices is None else matrices
    np.savez(folder / "traffic" / "figret_geant_week7.npz", tm=matrices)
    return folder
