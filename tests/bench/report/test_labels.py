"""Labels of a map stand away from the middle, and never on one another where there is room."""

from bwalloc.bench.report.labels import labels

SIZE = (600.0, 400.0)


def test_outer_sites_carry_their_label_outside():
    west, east, north, south = labels(
        ["west", "east", "north", "south"],
        [(100.0, 200.0), (500.0, 200.0), (300.0, 50.0), (300.0, 350.0)],
        SIZE,
        1.0,
    )

    assert ("end", "start") == (west.anchor, east.anchor)
    assert ("middle", "middle") == (north.anchor, south.anchor)
    assert north.y < 50.0 < 350.0 < south.y


def test_neighbours_do_not_cover_each_other():
    first, second = labels(["edge-1", "edge-6"], [(290.0, 100.0), (312.0, 100.0)], SIZE, 1.0)

    assert (first.anchor, first.y) != (second.anchor, second.y)


def test_a_label_stays_on_the_map():
    (label,) = labels(["a-very-long-name-of-a-site"], [(590.0, 200.0)], SIZE, 1.0)

    assert "end" == label.anchor
