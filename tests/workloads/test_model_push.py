"""Releases go to all sites at once; cold starts follow what a service is asked for."""

import numpy as np
import pytest

from bwalloc.errors import WorkloadError
from bwalloc.workloads import Clock, ColdStartSpec, ModelPushSpec, model_push

NAMES = ("a", "b", "c")
MODELS = ("chat", "chat", "code")
WEEK = Clock(7 * 1440, 60.0)
HOUR = Clock(60, 60.0)


def test_a_release_reaches_all_sites_of_its_model_with_one_deadline():
    spec = ModelPushSpec(NAMES, (1.0, 2.0, 3.0), MODELS, releases_per_day=20.0)
    jobs = model_push.draw(np.random.default_rng(0), spec, WEEK)
    first, second = jobs.demand == 0, jobs.demand == 1

    assert first.sum() > 50
    np.testing.assert_array_equal(jobs.step[first], jobs.step[second])
    np.testing.assert_array_equal(jobs.due_s[first], jobs.due_s[second])
    assert {2.0} == set(jobs.gbit[second])
    assert 600 <= jobs.due_s.min() <= jobs.due_s.max() <= 3600
    total = np.bincount(jobs.demand, jobs.gbit, 3) / WEEK.duration_s
    assert model_push.mean_gbps(spec) == pytest.approx(total, rel=0.25)


def test_releases_are_made_in_office_hours():
    spec = ModelPushSpec(NAMES, 1.0, MODELS, releases_per_day=200.0)
    jobs = model_push.draw(np.random.default_rng(0), spec, WEEK)
    hour = (jobs.step / 60 % 24).astype(int)

    assert np.isin(hour, range(9, 22)).mean() > 0.7  # of every hour alike: .54


def asked(*pieces):
    """Requests per second of one service, minute by minute."""
    return np.concatenate([np.full(minutes, rps) for minutes, rps in pieces])[:, None]


def test_a_replica_is_pushed_when_the_rate_has_risen_for_long_enough():
    """At twice the mean, the mean of five minutes passes 1.5 in the third of them."""
    spec = ColdStartSpec(("a",), 134.4, 10.0)

    jobs = model_push.cold_starts(spec, HOUR, asked((20, 10.0), (40, 20.0)))
    assert [22] == jobs.step.tolist()
    assert [134.4] == pytest.approx(jobs.gbit.tolist())
    assert [60.0] == jobs.due_s.tolist()
    short = model_push.cold_starts(spec, HOUR, asked((20, 10.0), (2, 20.0), (38, 10.0)))
    assert 0 == short.step.size


@pytest.mark.parametrize(("pause", "pushes"), [(6, 1), (20, 2)])
def test_a_replica_stays_for_a_while(pause, pushes):
    """Two surges within the 15 minutes of cooldown need one push."""
    pieces = [(10, 10.0), (6, 20.0), (pause, 10.0), (6, 20.0), (38 - pause, 10.0)]

    jobs = model_push.cold_starts(ColdStartSpec(("a",), 1.0, 10.0), HOUR, asked(*pieces))
    assert pushes == jobs.step.size


def test_a_service_that_starts_busy_has_its_replicas():
    jobs = model_push.cold_starts(ColdStartSpec(("a",), 1.0, 10.0), HOUR, asked((60, 20.0)))

    assert 0 == jobs.step.size


def test_a_deadline_range_that_falls_is_refused():
    with pytest.raises(WorkloadError, match="due_high_s: got 10"):
        ModelPushSpec(("a",), 1.0, due_low_s=20.0, due_high_s=10.0)
    with pytest.raises(WorkloadError, match=r"releases_per_day: got 1, 2 .* job 'chat'"):
        ModelPushSpec(NAMES, 1.0, MODELS, releases_per_day=(1.0, 2.0, 2.0))
