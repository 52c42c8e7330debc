import pytest

from bwalloc.errors import ScenarioError
from bwalloc.scenario import load_scenario


def load(**overrides):
    return load_scenario("tiny-edge", {key.replace("__", "."): v for key, v in overrides.items()})


def test_bare_key_and_full_key_are_the_same():
    assert 40 == load(intervals=40).timing.intervals
    assert load(intervals=40).digest == load(time__intervals=40).digest


def test_core_factor_scales_the_core_only():
    plain = load(network__span_groups__core__capacity_factor=1.0)
    wide = load(network__span_groups__core__capacity_factor=2.0)

    ratio = wide.network.links.capacity_gbps / plain.network.links.capacity_gbps
    is_core = ~plain.network.links.is_work_conserving
    assert [2.0, 2.0] == ratio[is_core].tolist()
    assert (ratio[~is_core] == 1.0).all()


def test_pattern_overrides_every_match():
    bursts = load_scenario("tiny-edge", {"services.*.burst": "code"}).workload.requests.burst

    assert ("code", "code") == bursts


def test_defaults_and_absent_sections_can_be_overridden():
    assert 2.0 == load(surge__scale=2.0).workload.requests.surge_scale
    assert 2.0 == load_scenario("tiny-edge", {"surge.scale": 2}).workload.requests.surge_scale
    scenario = load_scenario("tiny-edge", {"classes.kv_transfer.deadline_s": 10.0})
    rows = scenario.network.demands.rows_of("kv_transfer")
    assert [10.0, 10.0] == scenario.network.demands.deadline_s[rows].tolist()


def test_list_items_are_numbered():
    shifts = load_scenario("tiny-edge", {"ood.1.capacity_factor": 0.5}).workload.shifts

    assert 0.5 == shifts[1].capacity_factor


def test_enforcement_can_be_overridden():
    scenario = load_scenario(
        "tiny-edge", {"network.span_groups.core.enforcement": "work_conserving"}
    )

    assert scenario.network.links.is_work_conserving.all()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("surge.scal", 2, "Nearest: 'surge.scale'"),
        ("interval", 2, "Nearest: 'interval"),
        ("capacity_factor", 2, "could mean"),
        ("intervals", "many", r"time\.intervals \(an override\): got 'many'"),
        ("surge.scale", -1, "expected a number of at least 0"),
        ("classes.kv.deadline_s", 1, "'kv' is no traffic class"),
        ("classes.kv_transfer.deadline", 1, "Nearest key: 'deadline_s'"),
        ("services.*.brst", "code", "is no key of this environment"),
        ("time", 3, "is no key of this environment"),
    ],
)
def test_wrong_overrides_say_so(key, value, message):
    with pytest.raises(ScenarioError, match=message):
        load_scenario("tiny-edge", {key: value})


def test_a_span_gets_the_capacity_it_is_given_whatever_factors_say():
    wide = load_scenario("tiny-edge", {"network.capacity_gbps.hub--cloud": 20.0})
    row = wide.network.spans.name.index("hub--cloud")

    assert [20.0, 20.0] == wide.network.links.capacity_gbps[wide.network.links.span == row].tolist()
    assert 20.0 == wide.network.spans.tier_gbps[row]
    assert 20.0 * 0.25 == wide.network.spans.usd_per_h[row]
    assert load().workload.entropy == wide.workload.entropy


def test_a_capacity_of_no_span_is_answered_with_the_nearest():
    with pytest.raises(ScenarioError, match=r"capacity_gbps: got 'hub--clod'.*'hub--cloud'"):
        load_scenario("tiny-edge", {"network.capacity_gbps.hub--clod": 20.0})
