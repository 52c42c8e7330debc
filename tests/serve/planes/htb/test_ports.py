"""The state of an interface is told by its own root, whatever lies on others."""

import pytest
from planes import file_for
from wide import wide

from bwalloc.serve.planes.htb import ports
from bwalloc.serve.planes.htb.dump import ClassState, Dump
from bwalloc.serve.planes.htb.layout import REST, ROOT, build_layout


@pytest.fixture
def port():
    network = wide(2, 1, tunnels=1, hops=1)
    return build_layout(network, file_for(network)).ports[0]


def sound(port, without=()):
    """All classes of a port and the filters to them, seen somewhere."""
    state = ClassState(None, 1, 1, 0, 0, 0, 0)
    minors = [ROOT, REST, *(leaf.minor for leaf in port.leaves)]
    flows = [leaf.minor for leaf in port.leaves for _ in ports.rules(port, leaf)]
    return Dump(
        0.0,
        {port.id(minor): state for minor in minors if minor not in without},
        {port.major: flows},
        {(port.netns, port.interface): True},
    )


@pytest.mark.parametrize(
    ("root", "found"),
    [
        ("htb b000:", "sound"),
        ("htb b001:", "damaged"),
        ("htb 1:", "foreign"),
        ("tbf b000:", "foreign"),
        ("fq_codel 0:", "empty"),
        ("", "empty"),
    ],
)
def test_classes_of_its_numbers_are_its_own_only_under_its_own_root(port, monkeypatch, root, found):
    monkeypatch.setattr(ports, "root_discipline", lambda _: root)

    assert found == ports.condition(sound(port), port)


def test_without_a_class_it_is_damaged(port, monkeypatch):
    monkeypatch.setattr(ports, "root_discipline", lambda _: "htb b000:")

    assert "damaged" == ports.condition(sound(port, without=[REST]), port)


def test_an_interface_that_is_not_there_is_missing(port):
    assert "missing" == ports.condition(Dump(0.0), port)
