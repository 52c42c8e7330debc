"""Every way to break a file gives one error: file, key, value, what was expected, what to do."""

import re

import pytest

from bwalloc.errors import BwallocError, ScenarioError, TopologyError
from bwalloc.scenario import find, load_scenario

TEXT = find("tiny-edge").read_text()


def broken(tmp_path, old, new):
    assert old in TEXT
    path = tmp_path / "mine.toml"
    path.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(BwallocError) as caught:
        load_scenario(path)
    assert "mine.toml" in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught


CASES = [
    ("interval_s =", "interval =", ["time.interval", "no known key", "Nearest key: 'interval"]),
    (
        "capacity_gbps = 12.0",
        "capacity_gbps = -12.0",
        ["network.spans.edge-1--hub.capacity_gbps", "got -12.0", "expected a number above 0"],
    ),
    (
        "capacity_gbps = 12.0",
        "capacity_gbps = nan",
        ["capacity_gbps", "got nan", "a finite number"],
    ),
    (
        "mean_gbps = 3.0",
        'mean_gbps = "much"',
        ["demands.kv_transfer-up.mean_gbps", "got 'much'", "expected a number"],
    ),
    ("mean_gbps = 3.0", 'mean_gbps = "3.0"', ["got '3.0'", "expected a number"]),
    ("mean_gbps = 3.0", "mean_gbps = 1e300", ["kv_transfer-up.mean_gbps", "at most 1000000"]),
    ("substeps = 10", "substeps = true", ["time.substeps", "got True", "expected a number"]),
    ("mean_gbps = 3.0", "mean_gbs = 3.0", ["mean_gbs", "Nearest key: 'mean_gbps'"]),
    (
        'class = "kv_transfer"',
        'class = "kv_transfr"',
        ["demands.kv_transfer-up.class", "got 'kv_transfr'", "Nearest: 'kv_transfer'"],
    ),
    ('class = "kv_transfer"\n', "", ["demands.kv_transfer-up.class", "is missing"]),
    ('from = "edge-*"', 'from = "egde-*"', ["demands.kv_transfer-up.from", "got 'egde-*'"]),
    ('from = "cloud"', 'from = "clod"', ["demands.inference-down.from", "Nearest: 'cloud'"]),
    ("intervals = 120", "intervals = 12.5", ["time.intervals", "got 12.5", "a whole number"]),
    ("intervals = 120", "intervals = 20", ["warmup_intervals (30) below intervals (20)"]),
    ("[classes.bulk_ingest]", "[classes.bulk]", ["'bulk' is no traffic class", "bulk_ingest"]),
    ("schema = 1", "schema = 2", ["schema", "got 2", "expected 1"]),
    ("schema = 1", "schema = = 1", ["is not valid TOML", "line 1"]),
    ('id = "bwalloc/TinyEdge-v1"', 'id = "TinyEdge"', ["id", "got 'TinyEdge'", "matches"]),
    (
        'sites = "edge-1"',
        'sites = "edge-2"',
        ["inference-down", "site 'edge-1' has no service; add it"],
    ),
    ('group = "core"', 'group = "cor"', ["network.spans.hub--cloud.group", "Nearest: 'core'"]),
    ('why = "Owned fibre', 'why_not = "Owned fibre', ["network.span_groups.access.why"]),
    ("value_usd_per_gbit = 2e-4", "value_usd_per_gbit = [2e-4, 1e-4]", ["value_until", "got 1 sh"]),
    (
        "value_usd_per_gbit = 2e-4",
        "value_usd_per_gbit = [2e-4, 1e-4]\nvalue_until = [0.2, 0.5]",
        ["classes.bulk_ingest.value_until", "expected inf as the last share"],
    ),
    (
        "slack_high = 6.0",
        "slack_high = 1.0",
        ["demands.bulk_ingest-up", "slack_high: got 1", "from 1.5"],
    ),
    (
        "cameras = 100.0",
        "cameras = 100.0\nwanted_mbps = 20.0",
        ["demands.video_uplink-up", "wanted_mbps: got 20", "from 0 to 8"],
    ),
    ('ends = ["edge-1", "hub"]', 'ends = ["edge-1", "hub", "cloud"]', ["ends", "at most 2 in it"]),
    ("deadline_s = 600.0", "deadline_s = 0.0", ["classes.bulk_ingest.deadline_s", "above 0"]),
    ('absent_class = "bulk_ingest"', 'absent_class = "bulk"', ["'bulk' is no traffic class"]),
    ('burst = "code"', 'burst = "cod"', ["services.code.burst", "Nearest: 'code'"]),
]


@pytest.mark.parametrize(("old", "new", "says"), CASES)
def test_the_error_says_what_and_where(tmp_path, old, new, says):
    caught = broken(tmp_path, old, new)

    assert isinstance(caught.value, ScenarioError)
    assert [] == [part for part in says if part not in str(caught.value)]


def test_tunnel_through_a_missing_site(tmp_path):
    explicit = '\nexplicit = { "kv_transfer-up/edge-1" = [["edge-1", "hob", "cloud"]] }'
    caught = broken(tmp_path, "per_demand = 1", "per_demand = 1" + explicit)

    assert isinstance(caught.value, TopologyError)
    assert "there is no site 'hob'. Nearest: 'hub'" in str(caught.value)


def test_empty_list_of_tunnels(tmp_path):
    explicit = '\nexplicit = { "kv_transfer-up/edge-1" = [] }'
    caught = broken(tmp_path, "per_demand = 1", "per_demand = 1" + explicit)

    assert isinstance(caught.value, TopologyError)
    assert "'kv_transfer-up/edge-1' is given an empty list of tunnels" in str(caught.value)


def test_unreachable_demand(tmp_path):
    caught = broken(
        tmp_path,
        '"hub--cloud" = { group = "core", ends = ["hub", "cloud"]',
        '"hub--cloud" = { group = "core", ends = ["hub", "edge-1"]',
    )

    assert isinstance(caught.value, TopologyError)
    assert re.search(r"'inference-down/edge-1' cannot be routed from 'cloud'", str(caught.value))


def test_absent_topology_file(tmp_path):
    caught = broken(tmp_path, 'name = "tiny"', 'file = "net.graphml"\nfile_group = "core"')

    assert "net.graphml" in str(caught.value)


def test_own_enforcement_needs_a_reason(tmp_path):
    caught = broken(tmp_path, "delay_ms = 6.0", 'delay_ms = 6.0, enforcement = "policed"')

    assert "a text 'why'" in str(caught.value)
