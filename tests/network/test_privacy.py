"""Residency and encryption as hard constraints: on tunnels, in decisions, and on the wire."""

from dataclasses import replace

import numpy as np
import pytest

from bwalloc.allocate.limits import violations
from bwalloc.errors import TopologyError
from bwalloc.network.privacy import private_tunnels, wire_factor
from bwalloc.scenario import draw_world, find, load_scenario

LINES = {
    'edge-1 = { kind = "edge", region = "metro"': 'edge-1 = { kind = "edge", region = "eu"',
    'hub = { kind = "hub", region = "metro"': 'hub = { kind = "hub", region = "us"',
    'cloud = { kind = "cloud", region = "metro", x = 1.0, y = 0.0 }': (
        'cloud = { kind = "cloud", region = "eu", x = 1.0, y = 0.0 }\n'
        'ring = { kind = "hub", region = "eu", x = 0.0, y = 1.0 }'
    ),
    '"hub--cloud" =': (
        '"edge-1--ring" = { group = "leased", ends = ["edge-1", "ring"], capacity_gbps = 9.0, '
        "delay_ms = 9.0 }\n"
        '"ring--cloud" = { group = "leased", ends = ["ring", "cloud"], capacity_gbps = 9.0, '
        "delay_ms = 9.0 }\n"
        '"hub--cloud" ='
    ),
    "[network.sites]": (
        '[network.span_groups.leased]\nenforcement = "policed"\nwhy = "Leased."\n'
        'encryption = "ipsec"\n\n[network.sites]'
    ),
    "per_demand = 1": "per_demand = 2",
}


def detour(tmp_path, kv="", **overrides):
    """tiny-edge with a second, longer way from edge-1 that stays in the region "eu", encrypted."""
    text = find("tiny-edge").read_text()
    for old, new in LINES.items():
        assert old in text, old
        text = text.replace(old, new)
    name = '[demands.kv_transfer-up]\nclass = "kv_transfer"\nfrom = "edge-*"'
    assert name in text
    text = text.replace(name, name.replace('"edge-*"', '"edge-1"') + kv)
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return load_scenario(path, overrides)


def ways(scenario, demand="kv_transfer-up"):
    """Sites that each tunnel of a demand crosses."""
    network = scenario.network
    row, names = network.demands.name.index(demand), network.sites.name
    paths = [
        [link for link in hops if link < network.n_links]
        for hops, exists in zip(network.tunnels.hops[row], network.tunnels.exists[row], strict=True)
        if exists
    ]
    return [[names[network.links.target[link]] for link in path] for path in paths]


def test_a_residency_forbids_the_short_path(tmp_path):
    assert [["hub", "cloud"], ["ring", "cloud"]] == ways(detour(tmp_path))
    assert [["ring", "cloud"]] == ways(detour(tmp_path, '\nresidency = ["eu"]'))


def test_encryption_forbids_the_links_that_do_not_offer_it(tmp_path):
    assert [["ring", "cloud"]] == ways(detour(tmp_path, '\nencryption = "ipsec"'))
    assert [["ring", "cloud"]] == ways(detour(tmp_path, '\nencryption = "any"'))
    with pytest.raises(TopologyError, match="no path offers macsec"):
        detour(tmp_path, '\nencryption = "macsec"')


def test_a_demand_without_a_legal_path_is_refused_by_name(tmp_path):
    with pytest.raises(TopologyError, match=r"kv_transfer-up.*every path leaves .*\['us'\]"):
        detour(tmp_path, '\nresidency = ["us"]')


def test_a_rate_on_a_tunnel_that_breaks_its_promise_is_a_violation(tmp_path):
    """Nobody routes such a tunnel; a network whose links changed since has them."""
    scenario = detour(tmp_path, '\nencryption = "ipsec"\nresidency = ["eu"]')
    network = scenario.network
    row = network.demands.name.index("kv_transfer-up")
    rates = np.zeros((*network.tunnels.exists.shape, 1))
    rates[row, 0] = 1.0
    capacity = network.links.capacity_gbps[:, None]
    bare = replace(network.links, encryption=("none",) * network.n_links)
    moved = replace(network.sites, region=("us",) * len(network.sites.name))

    assert 0 == violations(network, rates, capacity)[0]
    for changed in ({"links": bare}, {"sites": moved}):
        other = replace(network, topology=replace(network.topology, **changed))
        assert not private_tunnels(other)[row].any()
        assert 1 == violations(other, rates, capacity)[0]


def test_encryption_takes_its_share_of_the_wire_and_earns_nothing(tmp_path):
    """IPsec adds 56 bytes to 1,500: the same work takes 3.7 % more Gbit, worth as much."""
    plain = detour(tmp_path)
    coded = detour(tmp_path, '\nencryption = "ipsec"')
    coded = replace(coded, workload=replace(coded.workload, entropy=plain.workload.entropy))
    row = plain.network.demands.name.index("kv_transfer-up")
    factor = 1 + 56 / 1500
    one, other = (draw_world(each, "train", 3).arrivals_gbit for each in (plain, coded))

    np.testing.assert_allclose(one[..., row] * factor, other[..., row], rtol=1e-5)
    np.testing.assert_array_equal(np.delete(one, row, 2), np.delete(other, row, 2))
    value, dearer = plain.network.law, coded.network.law
    np.testing.assert_allclose(
        value.value_usd_per_gbit[row], dearer.value_usd_per_gbit[row] * factor
    )
    np.testing.assert_allclose(
        value.expiry_usd_per_gbit[row], dearer.expiry_usd_per_gbit[row] * factor
    )


def test_any_encryption_pays_for_the_kind_it_gets(tmp_path):
    network = detour(tmp_path, '\nencryption = "any"').network
    wire = wire_factor(network.links, network.demands, network.tunnels)
    row = network.demands.name.index("kv_transfer-up")

    assert pytest.approx(1 + 56 / 1500) == wire[row]
    assert (np.delete(wire, row) == 1.0).all()


def test_jobs_are_encrypted_too(tmp_path):
    text = (
        find("tiny-edge")
        .read_text()
        .replace('why = "Owned fibre', 'encryption = "macsec"\nwhy = "Owned fibre')
        .replace('why = "Leased', 'encryption = "macsec"\nwhy = "Leased')
    )
    path = tmp_path / "mine.toml"
    worlds = []
    for line in ("", '\nencryption = "macsec"'):
        path.write_text(text.replace("mean_gbps = 1.0", f"mean_gbps = 1.0{line}"))
        scenario = load_scenario(path)
        scenario = replace(scenario, workload=replace(scenario.workload, entropy=1))
        worlds.append(draw_world(scenario, "train", 3).jobs_gbit)

    assert worlds[0].sum() > 0
    np.testing.assert_allclose(worlds[0] * (1 + 32 / 1500), worlds[1], rtol=1e-5)
