import numpy as np
import pytest

from bwalloc.network.build import SiteRow, SpanRow, build_topology
from bwalloc.network.layout import STRETCH, fitted, places

NOWHERE = (float("nan"), float("nan"))


def topology(ends, placed=()):
    where = dict(placed)
    names = dict.fromkeys(name for pair in ends for name in pair)
    spots = {name: where.get(name, NOWHERE) for name in names}
    sites = [SiteRow(name, x=x, y=y) for name, (x, y) in spots.items()]
    return build_topology("drawn", sites, [SpanRow(f"{a}{b}", (a, b), (1.0, 1.0)) for a, b in ends])


RING = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"), ("e", "f"), ("f", "a")]


def lengths(points, pairs, names="abcdef"):
    row = {name: index for index, name in enumerate(names)}
    return np.array([np.linalg.norm(points[row[a]] - points[row[b]]) for a, b in pairs])


def test_given_places_are_kept():
    spots = {"a": (8.0, 50.0), "b": (11.0, 48.0)}

    np.testing.assert_array_equal(list(spots.values()), places(topology([("a", "b")], spots)))


def test_ring_is_laid_out_round():
    points = places(topology(RING))
    sides = lengths(points, RING)

    np.testing.assert_allclose(sides.mean(), sides, rtol=0.02)
    assert lengths(points, [("a", "d")])[0] > 1.8 * sides.mean()


def test_chain_is_laid_out_along_its_order():
    along = places(topology(RING[:-1]))[:, 0]

    assert list(along) in (sorted(along), sorted(along, reverse=True))


def test_same_topology_is_the_same_drawing():
    np.testing.assert_array_equal(places(topology(RING)), places(topology(RING)))


def test_site_without_a_place_comes_between_its_neighbours():
    spots = {"a": (0.0, 0.0), "c": (10.0, 0.0)}
    points = places(topology([("a", "b"), ("b", "c")], spots))

    np.testing.assert_array_equal([[0.0, 0.0], [10.0, 0.0]], points[[0, 2]])
    assert 5.0 == pytest.approx(points[1, 0], abs=0.5)


def test_parts_without_a_way_between_them_are_placed():
    points = places(topology([("a", "b"), ("c", "d")]))

    assert np.isfinite(points).all()
    assert 4 == len(np.unique(points.round(6), axis=0))


def test_drawing_fits_its_frame_without_being_stretched_too_far():
    points = fitted(np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]]), 400.0, 100.0)
    width, height = points.max(0) - points.min(0)

    assert 100.0 == pytest.approx(height)
    assert STRETCH * height == pytest.approx(width)
    np.testing.assert_allclose([200.0, 50.0], (points.max(0) + points.min(0)) / 2)
