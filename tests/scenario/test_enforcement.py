"""`[enforcement]` of an environment file: what it becomes, and what is refused."""

import pytest

from bwalloc.errors import ScenarioError
from bwalloc.scenario import find, load_scenario, load_template

SECTION = """
[enforcement]
header_share = 0.02
header_share_by_class = { video_uplink = 0.04 }
burst_s = 0.005
burst_gbit = 0.001
update_latency_s = 0.3
least_gbps = 0.01
"""


def test_the_section_of_a_file_becomes_the_law(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(find("metro-inference").read_text() + SECTION)
    law = load_scenario(path).enforcement

    assert (0.005, 0.001, 0.3, 0.01) == (
        law.burst_s, law.burst_gbit, law.update_latency_s, law.least_gbps,
    )  # fmt: skip
    assert {round(1 / 0.98, 6), round(1 / 0.96, 6)} == set(law.header_factor.round(6).tolist())


def test_a_short_key_means_it_and_spans_keep_theirs():
    assert 2.0 == load_scenario("tiny-edge", {"update_latency_s": 2.0}).enforcement.update_latency_s
    with pytest.raises(ScenarioError, match="could mean"):
        load_scenario("metro-inference", {"enforcement": "policed"})


def test_a_drawn_network_has_it_too():
    template = load_template("random-edge", {"enforcement.burst_s": 0.01})

    assert 0.01 == template.scenario("train", 3).enforcement.burst_s


def test_least_rates_fit_the_smallest_tier_of_what_is_sold():
    """Tiers begin at 1 Gbit/s: whoever orders that has room for every tunnel."""
    load_scenario("enterprise-naas", {"least_gbps": 0.001})
    with pytest.raises(ScenarioError, match="which may have 1 Gbit/s"):
        load_scenario("enterprise-naas", {"least_gbps": 0.5})


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("header_share", 1.0, "a number below 1"),
        ("header_share", -0.1, "at least 0"),
        ("burst_s", -1, "at least 0"),
        ("burst_s", float("inf"), "a finite number"),
        ("burst_gbit", "much", "a number"),
        ("least_gbps", float("nan"), "a finite number"),
        ("update_latency_s", 10.1, r"at most the interval, 10 s \(time.interval_s\)"),
        ("least_gbps", 5.0, r"got 5, expected at most .* tunnels cross link"),
        ("header_share_by_class.kv_transfr", 0.1, "is no traffic class. Nearest: 'kv_transfer'"),
        ("header_share_by_class.kv_transfer", 1.5, "a number below 1"),
        ("bursts", 0.1, "is no key"),
    ],
)
def test_bad_values_name_file_and_key(key, value, text):
    with pytest.raises(ScenarioError, match=text) as caught:
        load_scenario("tiny-edge", {f"enforcement.{key}": value})
    assert "tiny-edge.toml" in str(caught.value)
    assert f"enforcement.{key.split('.')[0]}" in str(caught.value)
    assert "\n" not in str(caught.value)
