"""What drawn networks have besides sites and demands: jobs, promised rates, offers, failures."""

import numpy as np
import pytest

from bwalloc.errors import ScenarioError
from bwalloc.scenario import find, load_template
from bwalloc.scenario.generate import generate
from bwalloc.scenario.generate_network import most_links

TEMPLATE = load_template("random-edge")
LAW = TEMPLATE.env.random
FILES = [TEMPLATE.file("train", seed) for seed in range(30)]


def sites_of(file, prototype):
    """Edge sites that have a prototype, in their order."""
    names = [name.split("/") for name in file.demands]
    return [site for key, site in names if key == prototype]


def drawn(env, law=LAW, seed=3):
    """Network `seed` of a law whose numbers changed, from the seeds of the law that did not."""
    return generate(env, law, TEMPLATE.path, split="train", entropy=TEMPLATE.entropy, seed=seed)


def test_a_job_sends_copies_and_reads_at_the_same_sites():
    sizes = set()
    for file in FILES:
        sites = sites_of(file, "job-gpus-sync")
        sizes.add(len(sites))
        for prototype in ("job-gpus-restore", "job-copy", "job-feed"):
            assert sites == sites_of(file, prototype)

    assert {0, 2, 3, 4} == sizes


def test_a_job_is_a_ring_over_its_sites():
    for file in FILES:
        sites = sites_of(file, "job-gpus-sync")
        sends = {
            section.origin: section.to
            for name, section in file.demands.items()
            if name.startswith("job-gpus-sync/")
        }
        assert dict(zip(sites, [*sites[1:], *sites[:1]], strict=True)) == sends


def test_the_group_of_a_job_has_gpus_by_its_size_and_is_there_when_the_job_is():
    mean = TEMPLATE.env.demands["job-gpus-sync"].mean_gbps
    there = 0
    for file in FILES:
        sites = sites_of(file, "job-gpus-sync")
        assert bool(sites) == ("job" in file.groups)
        if sites:
            factor = file.demands[f"job-gpus-sync/{sites[0]}"].mean_gbps / mean
            assert 128 * factor == pytest.approx(file.groups["job"].gpus, abs=0.6)
            there += 1
    assert LAW.groups["job"].probability == pytest.approx(there / len(FILES), abs=0.2)


def test_some_on_ramps_are_sold_from_the_tier_nearest_to_what_they_would_have():
    shares, law = [], TEMPLATE.env.offers["exchange"]
    for file in FILES:
        ramps = [name for name in file.network.spans if "--cloud" in name]
        sold = [span for offer in file.offers.values() for span in offer.spans]
        assert sold
        assert set(sold) <= set(ramps)
        assert len(sold) == len(set(sold))
        shares.append(len(sold) / len(ramps))
        for offer in file.offers.values():
            for span in offer.spans:
                away = np.abs(np.log(np.array(law.tiers_gbps)
                                     / file.network.spans[span].capacity_gbps))  # fmt: skip
                assert law.tiers_gbps[int(away.argmin())] == offer.first_tier_gbps
            price = offer.usd_per_h[0] / law.prices_usd_per_h[0]
            assert 0.4 <= price <= 1.2
            expected = np.array(law.prices_usd_per_h) * price
            np.testing.assert_allclose(expected, offer.usd_per_h, rtol=1e-5)
    assert min(shares) < 1.0 == max(shares)
    assert max(len(f.offers) for f in FILES) <= TEMPLATE.usual.sizes.spans


def test_rates_are_promised_to_some_sites_as_large_as_they_are():
    promised = []
    for file in FILES:
        for name, section in file.demands.items():
            prototype, site = name.split("/")
            whole = TEMPLATE.env.demands[prototype]
            if not whole.floor_gbps:
                assert 0.0 == section.floor_gbps
            elif prototype == "video_uplink-up":
                promised.append(section.floor_gbps > 0)
                size = section.cameras / whole.cameras * file.network.sites[site].scale
                expected = whole.floor_gbps * size if section.floor_gbps else 0.0
                assert expected == pytest.approx(section.floor_gbps, rel=1e-3)
    assert 0.3 < np.mean(promised) < 0.7


def test_failures_are_more_frequent_in_some_networks():
    factors = [file.failures.accelerate / TEMPLATE.env.failures.accelerate for file in FILES]

    assert LAW.failures[0] <= min(factors) < 0.5
    assert 1.0 < max(factors) <= LAW.failures[1]


def test_what_is_sold_and_what_fails_move_nothing_else():
    plain = drawn(TEMPLATE.env.model_copy(update={"offers": {}}))
    whole = drawn(TEMPLATE.env)

    assert plain.demands == whole.demands
    assert plain.network == whole.network
    assert plain.services == whole.services
    assert not plain.offers


def test_another_job_leaves_the_demands_of_the_others_as_they_are():
    never = LAW.groups["job"].model_copy(update={"probability": 0.0})
    without = drawn(TEMPLATE.env, LAW.model_copy(update={"groups": {"job": never}}))
    whole = drawn(TEMPLATE.env)
    rest = {k: v for k, v in whole.demands.items() if not k.startswith("job-")}

    assert rest == without.demands
    assert not without.groups


def test_padded_spans_are_those_that_may_be_sold():
    assert TEMPLATE.usual.sizes.spans == LAW.clouds[1] * LAW.on_ramps[1]
    everywhere = load_template("random-edge", {"offers.exchange.spans": "*"})
    assert everywhere.usual.sizes.spans == most_links(LAW) // 2


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[random.groups.job]", "[random.groups.jbo]", r"random\.groups: got 'jbo'.*'job'"),
        ("[random.offers.exchange]", "[random.offers.x]", r"random\.offers: got 'x'"),
        ('demands = "job-*"', 'demands = "jbo-*"', r"random\.groups\.job\.demands: got 'jbo-\*'"),
        ("failures = [0.2, 2.0]", "failures = [2.0, 0.2]", r"random\.failures.*the lower one"),
    ],
)
def test_a_wrong_name_or_range_is_refused(tmp_path, old, new, says):
    text = find("random-edge").read_text()
    assert old in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new))
    with pytest.raises(ScenarioError, match=says):
        load_template(path)
