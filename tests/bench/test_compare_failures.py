"""A comparison on an environment of one's own whose links fail and whose tenants have floors."""

import math

import numpy as np
import pytest

from bwalloc.bench.compare import compare
from bwalloc.bench.summary import summarise
from bwalloc.scenario import find

SECTIONS = """
[failures]
accelerate = 120.0
source = "Accelerated for the test."

[failures.flap]
[failures.partial]
mean_down_h = 0.1

[credits]
after_min = [0.1]
share = [0.1]
"""


@pytest.fixture
def environment(tmp_path, monkeypatch):
    monkeypatch.setenv("BWALLOC_CACHE", str(tmp_path / "cache"))
    text = find("metro-inference").read_text().replace("intervals = 360", "intervals = 90")
    promised = 'direction = "down"\ntenant = "chat"\nfloor_gbps = 0.01'
    (tmp_path / "mine.toml").write_text(text.replace('direction = "down"', promised) + SECTIONS)
    return tmp_path


def test_failures_and_promises_are_in_the_document(environment):
    names = ["forecast", "stochastic-lp", "clairvoyant"]
    result = summarise(compare("mine", allocators=names, episodes=2, envs=environment))

    for name in ("static-peak", *names):
        row = result["allocators"][name]
        assert 0 == row["violations"]
        assert row["overrun_gbit"] > 1.0
        assert row["recovery_s"]["failures"] > 3
        assert 0 <= row["recovery_s"]["mean"] <= row["recovery_s"]["p95"] < math.inf
        assert {"chat"} == row["tenants"].keys()
        assert row["tenants"]["chat"]["minutes_below_floor_per_h"] > 0
        assert row["tenants"]["chat"]["slo_credit_usd"] > 0
    for episode in result["episode_results"]:
        assert max(episode["net_usd_per_h"].values()) <= episode["bound"]


def test_without_failures_and_floors_the_document_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("BWALLOC_CACHE", str(tmp_path))
    overrides = {"time.intervals": 40}
    result = summarise(compare("tiny-edge", allocators=[], episodes=1, overrides=overrides))
    row = result["allocators"]["static-peak"]

    assert row["recovery_s"] is None
    assert {} == row["tenants"]
    assert np.isfinite(result["episode_results"][0]["bound"])


def test_networks_that_are_drawn_fail_too(tmp_path, monkeypatch):
    monkeypatch.setenv("BWALLOC_CACHE", str(tmp_path))
    overrides = {"time.intervals": 50, "failures.flap": {}, "failures.accelerate": 500.0}
    found = compare("random-edge", allocators=["max-min"], episodes=3, overrides=overrides)
    books = found.played["max-min"]

    assert 0 == books.violations
    assert books.overrun_gbit.sum() > 0
    assert books.recovery_s.size > 0
