"""As many classes as there is room for are built; one more is refused, the interface untouched."""

import numpy as np
import pytest
from namespaces import Street, decision, even, need, place, rates_there, snapshot, tc
from planes import file_for
from wide import wide

from bwalloc.errors import PlaneError
from bwalloc.serve.planes import htb
from bwalloc.serve.planes.htb.layout import FIRST_LEAF, MOST_LEAVES, REST
from bwalloc.serve.planes.htb.plane import HtbPlane

pytestmark = pytest.mark.realnet
LEAST_BPS = 8_000


@pytest.fixture
def street(tmp_path):
    need()
    with place() as made:
        yield Street(made, tmp_path)


def crowd(street, count):
    """So many demands over the one link of a network, and a plane file for it."""
    network = wide(count, 1, tunnels=1, hops=1)
    at = {"interface": "out", "netns": street.a}
    return network, file_for(network, places=at, state=str(street.state))


def test_one_class_more_than_there_are_numbers_is_refused_and_nothing_changes(street):
    before = snapshot(street.a)
    network, file = crowd(street, MOST_LEAVES + 1)
    with pytest.raises(PlaneError) as caught:
        HtbPlane(network, file, even(network, 1e-4))

    said = str(caught.value)
    assert 32_752 == MOST_LEAVES
    assert "'out'" in said
    assert "32753 classes, but ids have 16 bits and leave 32752" in said
    assert "let tunnels share a class" in said
    assert before == snapshot(street.a)
    assert not street.state.exists()


def test_classes_fill_a_link_to_the_last_bit_and_no_further(street):
    full_bps = 7 * LEAST_BPS  # six demands, and packets of none
    before = snapshot(street.a)
    with pytest.raises(PlaneError, match=r"6 classes at 8000 bit/s .* lower least_kbps"):
        HtbPlane(street.network, holding(street, full_bps - 8), even(street.network, 1.0))
    assert before == snapshot(street.a)
    assert not street.state.exists()

    plane = HtbPlane(street.network, holding(street, full_bps), even(street.network, 1.0))
    try:
        assert 0 == plane.apply(decision(street.network, even(street.network, 2.0))).changed
        rates = rates_there(street.a)
        ends = [rates[minor] for minor in (REST, *range(FIRST_LEAF, FIRST_LEAF + 6))]
        assert [LEAST_BPS] * 7 == ends
    finally:
        plane.remove()
    assert before == snapshot(street.a)


def holding(street, bps):
    """A plane file whose link carries just that, of which packets of no demand get the least."""
    file, to_gbps = street.file(), 1e-9 / 2e-3
    change = {"capacity_gbps": bps * to_gbps, "unclassified_gbps": LEAST_BPS * to_gbps}
    places = {name: each.model_copy(update=change) for name, each in file.links.items()}
    return file.model_copy(update={"links": places})


def test_two_thousand_classes_are_built_changed_and_read_back(street):
    network, file = crowd(street, 2000)
    plane = HtbPlane(network, file, even(network, 1e-4))
    try:
        told = np.full((2000, 1), 2e-4)
        assert 2000 == plane.apply(decision(network, told)).changed
        assert 200_000 == rates_there(street.a)[FIRST_LEAF + 1999]
        assert np.isfinite(plane.read().demands.offered_gbps).all()
    finally:
        plane.remove()


def test_what_cannot_be_built_to_the_end_is_taken_away(street, monkeypatch):
    before = snapshot(street.a)
    real = htb.plane.tc.batch

    def spoilt(netns, lines):
        bad = "class add dev out parent b000:1 classid b000:fff htb rate nonsense"
        real(netns, [*lines[:5], bad, *lines[5:]] if len(lines) > 5 else lines)

    monkeypatch.setattr(htb.plane.tc, "batch", spoilt)
    with pytest.raises(PlaneError, match="b000:fff"):
        HtbPlane(street.network, street.file(), even(street.network, 1.0))

    assert before == snapshot(street.a)
    assert "htb" not in tc(street.a, "qdisc show dev out")
