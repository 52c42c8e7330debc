"""The file of a plane: what it may say, and that every slip is named with its place."""

from pathlib import Path

import pytest

from bwalloc.errors import PlaneError
from bwalloc.serve.planes import read_plane_file

GOOD = """
schema = 1
state = "/run/bwalloc"
[links."edge-1>hub"]
interface = "eth1"
[[matches]]
demand = "kv"
to = "10.1.0.0/16"
"""


def read(folder, text):
    path = folder / "plane.toml"
    path.write_text(text)
    return read_plane_file(path)


def test_what_is_left_out_has_its_default(tmp_path):
    file = read(tmp_path, GOOD)

    assert (3, 0.01, 200) == (file.misses, file.least_change, file.queue_packets)
    assert (1.0, 1.0) == (file.scale.rate, file.scale.time)
    assert file.links["edge-1>hub"].netns is None
    assert "10.1.0.0/16" == str(file.matches[0].to)


@pytest.mark.parametrize(
    ("before", "after", "texts"),
    [
        ('interface = "eth1"', 'interfaec = "eth1"', ["links.edge-1>hub.interfaec", "interface"]),
        ('interface = "eth1"', "", ["links.edge-1>hub.interface", "is missing"]),
        ('"eth1"', '"eth1 root; reboot"', ["links.edge-1>hub.interface"]),
        ('"eth1"', '"-batch"', ["links.edge-1>hub.interface"]),
        ('"eth1"', '"an-interface-too-long"', ["links.edge-1>hub.interface"]),
        ('"eth1"', '"eth1"\nnetns = "../x"', ["links.edge-1>hub.netns"]),
        ('"eth1"', '"eth1"\nmode = "limit"', ["links.edge-1>hub.mode", "cap"]),
        ('"10.1.0.0/16"', '"10.1.0.1/16"', ["matches.0.to", "prefix"]),
        ('"10.1.0.0/16"', '"host"', ["matches.0.to", "prefix"]),
        ('"10.1.0.0/16"', "10", ["matches.0.to", "prefix"]),
        ('to = "10.1.0.0/16"', "dscp = 64", ["matches.0.dscp", "63"]),
        ('to = "10.1.0.0/16"', 'dscp = "46"', ["matches.0.dscp", "number"]),
        ('to = "10.1.0.0/16"', "", ["matches.0", "at least one of to, from"]),
        ('to = "10.1.0.0/16"', "port = 80", ["matches.0", "protocol beside a port"]),
        ("10.1.0.0/16", '10.1.0.0/16"\nfrom = "fd00::/8', ["matches.0", "one IP version"]),
        ("schema = 1", "schema = 1\nmisses = 0", ["misses", "at least 1"]),
        ("schema = 1", "schema = 2", ["schema"]),
        ("schema = 1", "schema = ", ["is no TOML"]),
    ],
)
def test_a_slip_is_named_with_its_place(tmp_path, before, after, texts):
    assert before in GOOD
    with pytest.raises(PlaneError) as caught:
        read(tmp_path, GOOD.replace(before, after))

    for text in ("plane.toml", *texts):
        assert text in str(caught.value)


def test_a_file_that_is_not_there_is_an_error_with_a_remedy():
    with pytest.raises(PlaneError, match=r"cannot be read.*name a TOML file"):
        read_plane_file(Path("nowhere") / "plane.toml")
