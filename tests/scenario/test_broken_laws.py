"""Every way to break `[random]` gives one line: file, key, value, what to do."""

import re

import pytest

from bwalloc.errors import ScenarioError
from bwalloc.scenario import find, load_scenario

TEXT = find("random-edge").read_text()

CASES = [
    ("edges = [6, 12]", "edges = [12, 6]", ["random.edges", "got [12, 6]", "the lower one first"]),
    ("edges = [6, 12]", "edges = [0, 12]", ["random.edges.0", "got 0", "at least 1"]),
    ("edges = [6, 12]", "edges = 9", ["random.edges", "got 9"]),
    ("edges = [6, 12]\n", "", ["random.edges", "is missing"]),
    ("edges = [6, 12]", "edges = [6, 40]", ["random.sizes.demands", "got 96", "may have 316"]),
    ("hubs = [2, 4]", "hubs = [2, 40]", ["random.sizes.links", "got 72", "raise it"]),
    ("tunnels = 3", "tunnels = 2", ["random.sizes.tunnels", "got 2", "may have 3"]),
    ("hubs = [2, 4]", "hbus = [2, 4]", ["random.hbus", "Nearest key: 'hubs'"]),
    ("homes = [1, 2]", "homes = [1.5, 2]", ["random.homes.0", "a whole number"]),
    ("radius_km = [15.0,", "radius_km = [-15.0,", ["random.radius_km.0", "got -15.0", "above 0"]),
    ("cloud_km = [100.0,", "cloud_km = [nan,", ["random.cloud_km.0", "a finite number"]),
    ("utc_offset_h = [-8, 9]", "utc_offset_h = [-8, 19]", ["random.utc_offset_h.1", "at most 14"]),
    ("gpu_hour_usd = [1.5, 2.5, 6.9]", "gpu_hour_usd = []", ["random.gpu_hour_usd", "at least 1"]),
    ("{ owned = 3.0, leased = 1.0 }", "{ onwed = 3.0 }", ["access.groups", "Nearest: 'owned'"]),
    ("groups = { on-ramp = 1.0 }", "groups = {}", ["random.spans.cloud.groups", "at least 1"]),
    ("headroom = [2.0, 6.0]", "headroom = [0.0, 6.0]", ["access.headroom.0", "above 0"]),
    ("kv_transfer-up = {", "kv_transfer-pu = {", ["random.presence", "'kv_transfer-up'"]),
    ("probability = 0.7", "probability = 1.7", ["probability", "got 1.7", "at most 1"]),
    ('from = "edge-*"', 'from = "egde-*"', ["demands.kv_transfer-up.from", "got 'egde-*'"]),
    ('to = "cloud-*"', 'to = "hub-*"', ["demands.kv_transfer-up.to", "'edge-*' or 'cloud-*'"]),
    ('from = "edge-*"', 'from = "cloud-*"', ["'cloud-*' at both ends"]),
    ("mean_gbps = 3.0\n", "", ["demands.kv_transfer-up.mean_gbps", "is missing"]),
    (
        "[network.span_groups.owned]",
        '[network.sites]\nhub-1 = { kind = "hub" }\n\n[network.span_groups.owned]',
        ["network.sites", "leave it out"],
    ),
    ("[services]", "[unserviced]", ["unserviced", "no known key"]),
    ("record_episodes = 12", "record_episodes = 0", ["random.record_episodes", "at least 1"]),
    (
        "radius_km = [15.0, 150.0]",
        "seed = -1\nradius_km = [15.0, 150.0]",
        ["random.seed", "got -1"],
    ),
]


@pytest.mark.parametrize(("old", "new", "says"), CASES)
def test_the_error_says_what_and_where(tmp_path, old, new, says):
    assert old in TEXT
    path = tmp_path / "mine.toml"
    path.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)

    text = str(caught.value)
    assert re.match(r".*mine\.toml", text)
    assert "\n" not in text
    for part in says:
        assert part in text, text


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"random.edges": [9, 3]}, "random.edges (an override): got [9, 3]"),
        ({"random.egdes": [3, 9]}, "Nearest: 'random.edges'"),
        ({"random.split": "tets"}, "Nearest: 'test'"),
    ],
)
def test_so_does_an_override(overrides, says):
    with pytest.raises(ScenarioError) as caught:
        load_scenario("random-edge", overrides)

    assert says in str(caught.value), str(caught.value)
