import numpy as np
import pytest

from bwalloc.scenario import find, load_scenario

METRO = load_scenario("metro-inference")


def test_metro_is_what_its_description_says():
    network = METRO.network
    kinds = network.sites.kind

    assert (12, 2, 1) == tuple(kinds.count(kind) for kind in ("edge", "hub", "cloud"))
    assert 60 == network.n_demands
    assert 52 == network.n_links
    assert network.tunnels.exists.all()
    assert 2 == network.n_tunnels
    for name in ("kv_transfer", "background", "inference", "video_uplink"):
        expected = {"kv_transfer": 24}.get(name, 12)
        assert expected == len(network.demands.rows_of(name))


def test_metro_capacities_are_the_load_factors_times_the_mean():
    links, sites = METRO.network.links, METRO.network.sites
    core = ~links.is_work_conserving
    at = np.array([sites.name[s] for s in links.source])

    assert 2.8 * 36 == pytest.approx(links.capacity_gbps[core].sum() / 2)
    access = links.capacity_gbps[at == "edge-04"]
    assert 12 * 3 * 2.13 == pytest.approx(access.sum())
    assert pytest.approx(1.5) == access.max() / access.min()
    assert 12 * 36 == pytest.approx(links.capacity_gbps[~core].sum() / 2)


def test_metro_tunnels_share_no_risk():
    hops, risk = METRO.network.tunnels.hops, METRO.network.links.risk_group
    for first, second in hops:
        assert not {risk[row] for row in first} & {risk[row] for row in second}


def test_metro_values_follow_the_gpu_price():
    demands, value = METRO.network.demands, METRO.network.law.value_usd_per_gbit
    kv = demands.rows_of("kv_transfer")

    expected = sorted({3.9e-4 * price / 2.5 for price in (1.5, 2.5, 6.9)})
    assert expected == pytest.approx(sorted(set(value[kv, 0].tolist())))
    video = demands.rows_of("video_uplink")
    assert [0.018, 0.0044, 0.0018, 0.0006] == value[video[0]].tolist()
    assert METRO.network.law.is_curved[video].all()
    assert not METRO.network.law.is_curved[kv].any()


def test_background_goes_one_way_per_site():
    names = [n for n in METRO.network.demands.name if n.startswith("background")]

    assert 12 == len({name.split("/")[1] for name in names})
    assert 6 == sum(name.startswith("background-down/") for name in names)


def test_digest_ignores_texts_and_tuned_constants(tmp_path):
    text = find("tiny-edge").read_text()
    plain = load_scenario("tiny-edge").digest

    def digest(new_text):
        path = tmp_path / "tiny-edge.toml"
        path.write_text(new_text)
        return load_scenario(path).digest

    assert plain == digest(text.replace('title = "Tiny', 'title = "Small'))
    assert plain == digest(text.replace("reward_scale_usd = 0.1", "reward_scale_usd = 0.2"))
    assert plain == digest('history = { "1" = "First." }\n' + text)
    assert plain == digest(text + "\n[allocators.someone]\nquantile = 0.9\n")
    assert plain != digest(text.replace("capacity_gbps = 11.0", "capacity_gbps = 12.0"))


def test_tuned_constants_are_there(tmp_path):
    path = tmp_path / "tiny-edge.toml"
    path.write_text(find("tiny-edge").read_text() + "\n[allocators.someone]\nquantile = 0.9\n")

    assert {"quantile": 0.9} == load_scenario(path).tuned["someone"]


def test_groups_take_members_by_pattern(tmp_path):
    group = '\n[groups.kv]\nmembers = "kv_transfer-up/*"\ngpus = 8\ngpu_hour_usd = 2.5\n'
    path = tmp_path / "tiny-edge.toml"
    path.write_text(find("tiny-edge").read_text() + group)
    groups = load_scenario(path).network.groups

    assert ("kv",) == groups.name
    assert 2 == (groups.member == 0).sum()


def test_topology_file_beside_the_toml(tmp_path):
    import networkx as nx

    graph = nx.Graph([("edge-1", "hub"), ("edge-2", "hub"), ("hub", "cloud")])
    nx.set_edge_attributes(graph, 11.0, "capacity")
    nx.write_graphml(graph, tmp_path / "net.graphml")
    text = find("tiny-edge").read_text()
    first, last = text.index("[network.spans]"), text.index("[tunnels]")
    text = text[:first] + text[last:]
    path = tmp_path / "mine.toml"
    path.write_text(text.replace('name = "tiny"', 'file = "net.graphml"\nfile_group = "core"'))
    network = load_scenario(path, {"network.span_groups.core.capacity_factor": 1.0}).network

    assert 6 == network.n_links
    assert (network.links.capacity_gbps == 11.0).all()
    assert "cloud" == network.sites.kind[network.sites.name.index("cloud")]
    name = network.spans.name[0]
    wide = load_scenario(path, {f"network.capacity_gbps.{name}": 40.0}).network.links
    assert [40.0, 40.0] == wide.capacity_gbps[wide.span == 0].tolist()


@pytest.mark.parametrize("name", ["tiny-edge", "metro-inference"])
def test_shipped_plans_are_those_of_the_shipped_environments(name):
    """Plans are named by the digest: whatever moves it throws them away."""
    plan = f"{load_scenario(name).digest[:16]}-test-0.npz"

    assert (find(name).parent / "plans" / plan).is_file()


def test_cameras_may_have_a_night():
    key = "demands.video_uplink-up.event_duty_night"
    (part,) = load_scenario("metro-inference", {key: 0.05}).workload.video_uplink

    assert 0.05 == part.spec.event_duty_night
    assert METRO.digest != load_scenario("metro-inference", {key: 0.05}).digest
