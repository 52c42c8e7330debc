"""A drawn world as chunks of bytes with deadlines."""

from dataclasses import replace

import numpy as np
import pytest

from bwalloc.bench.testbed.testbed import Wanted, prepare, rate_scale
from bwalloc.bench.testbed.wiring import Scale
from bwalloc.bench.testbed.work import chunks, sending, shortened
from bwalloc.errors import BwallocError
from bwalloc.scenario import draw_world, load_scenario

SCENARIO = load_scenario("tiny-edge", overrides={"time.intervals": 40})
WORLD = draw_world(SCENARIO, "test", 0)
SCALE = Scale(1e-3, 10.0)


def expiry_by_slots(at, slot, width):
    """Work that enters `slot` in substep `at`, moved down as the simulator does it."""
    substep = at
    while True:
        if (substep + 1) % width == 0:
            if slot == 0:
                return substep + 1
            slot -= 1
        substep += 1


def test_all_work_of_a_demand_is_in_its_chunks():
    for demand in range(SCENARIO.network.n_demands):
        total = WORLD.arrivals_gbit[:, :, demand].sum()
        if WORLD.jobs_gbit is not None:
            total += WORLD.jobs_gbit[:, demand].sum()
        found = sum(work for _, work, _ in chunks(SCENARIO, WORLD, SCALE, demand))
        assert total * SCALE.bytes_per_gbit == pytest.approx(found, rel=1e-4)


def test_chunks_expire_when_the_simulator_lets_them():
    slots = SCENARIO.slots
    seen = 0
    for demand in range(SCENARIO.network.n_demands):
        slot, width = int(slots.arrival_slot[demand]), int(slots.width_substeps[demand])
        arrivals = WORLD.arrivals_gbit[:, :, demand].ravel()
        for at, _, due in chunks(SCENARIO, WORLD, SCALE, demand):
            if width == 1 and arrivals[at] > 0:
                assert expiry_by_slots(at, slot, width) == due
                seen += 1
    assert seen > 100


def test_jobs_keep_their_own_deadlines():
    slots = SCENARIO.slots
    assert WORLD.jobs_gbit is not None
    demand = int(np.flatnonzero(slots.width_substeps > 1)[0])
    interval, slot = np.argwhere(WORLD.jobs_gbit[:, demand] > 0)[0].tolist()
    at, width = interval * SCENARIO.timing.substeps, int(slots.width_substeps[demand])
    dues = [due for begin, _, due in chunks(SCENARIO, WORLD, SCALE, demand) if begin == at]
    assert expiry_by_slots(at, slot, width) in dues


def test_the_beginning_of_an_episode_is_the_same_world():
    scenario, world = shortened(SCENARIO, WORLD, 10, 6)
    assert (16, 6) == (scenario.timing.intervals, scenario.timing.warmup_intervals)
    assert (WORLD.arrivals_gbit[:16] == world.arrivals_gbit).all()
    assert scenario.network is SCENARIO.network


def test_real_time_classes_are_datagrams_and_the_others_tcp():
    kinds = SCENARIO.network.demands.traffic_class
    found = {
        kinds[demand]: sending(SCENARIO, WORLD, SCALE, demand)["kind"]
        for demand in range(SCENARIO.network.n_demands)
    }
    assert "udp" == found["inference"] == found["video_uplink"]
    assert "tcp" == found["kv_transfer"] == found["bulk_ingest"]


def test_the_scale_keeps_the_load_small_and_is_a_round_number():
    busy = replace(WORLD, arrivals_gbit=WORLD.arrivals_gbit * 100)
    seconds = SCENARIO.timing.intervals * SCENARIO.timing.interval_s
    for world in (WORLD, busy):
        scale = rate_scale(SCENARIO, world)
        load_mbps = world.arrivals_gbit.sum() / seconds * scale * 1e3
        assert load_mbps <= 60
        assert scale <= 1e-3
        assert float(f"{scale:.0e}") == pytest.approx(scale)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (Wanted("tiny-edge", seconds=0.0), "--seconds"),
        (Wanted("tiny-edge", time_scale=float("nan")), "--time-scale"),
        (Wanted("tiny-edge", seed=-1), "--seed"),
        (Wanted("geo-training"), "groups of GPUs that stall"),
        (Wanted("enterprise-naas"), "capacity on order"),
    ],
)
def test_what_packets_cannot_play_is_refused_and_said(wanted, text):
    with pytest.raises(BwallocError, match=text):
        prepare(wanted)
