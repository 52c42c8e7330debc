"""Demands of a section: which sites its ends stand for."""

import pytest

from bwalloc.errors import ScenarioError
from bwalloc.scenario import find, load_scenario

FROM = '[demands.kv_transfer-up]\nclass = "kv_transfer"\nfrom = "edge-*"'


def names(tmp_path, ends):
    """Names of the demands of one section of tiny-edge whose end is `ends`."""
    text = find("tiny-edge").read_text()
    assert FROM in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(FROM, FROM.replace('"edge-*"', ends)))
    known = load_scenario(path).network.demands.name
    return [name for name in known if name.startswith("kv_transfer-up")]


def test_a_list_of_sites_stands_for_one_demand_each_in_its_order(tmp_path):
    assert ["kv_transfer-up/edge-2", "kv_transfer-up/edge-1"] == names(
        tmp_path, '["edge-2", "edge-1"]'
    )


def test_a_list_may_hold_patterns_and_no_site_counts_twice(tmp_path):
    assert ["kv_transfer-up/edge-2", "kv_transfer-up/edge-1"] == names(
        tmp_path, '["edge-2", "edge-*"]'
    )


def test_one_name_in_a_list_is_one_demand(tmp_path):
    assert ["kv_transfer-up"] == names(tmp_path, '["edge-2"]')


@pytest.mark.parametrize(
    ("ends", "says"),
    [
        ('["edge-1", "egde-2"]', r"kv_transfer-up\.from: got 'egde-2'.*Nearest: 'edge-2'"),
        ("[]", r"kv_transfer-up\.from: got \[\], expected a name, a pattern of names, or a list"),
        ("3", r"kv_transfer-up\.from: got 3"),
    ],
)
def test_a_site_that_is_not_there_is_named(tmp_path, ends, says):
    with pytest.raises(ScenarioError, match=says):
        names(tmp_path, ends)
