"""The generator against the traces it was calibrated to (acceptance checks of the calibration)."""

import numpy as np
import pytest

from bwalloc.workloads import Clock, KvTransferSpec, draw_intensity, kv_transfer, presets
from bwalloc.workloads.counts import poisson_counts

HOUR = Clock(3500)
SERVICES = 40
# Index of dispersion for counts in windows of 1, 10, 60 and 300 s: Azure LLM inference 2023.
CONV = {1: 1.39, 10: 3.87, 60: 16.4, 300: 61.7}
CODE = {1: 13.2, 10: 71.9}
TOLERANCE = 0.4


def dispersion(counts, window):
    whole = counts[: len(counts) // window * window]
    sums = whole.reshape(-1, window, counts.shape[1]).sum(axis=1)
    return float(np.median(sums.var(axis=0) / sums.mean(axis=0)))


def misses(spec, wanted, seed):
    rng = np.random.default_rng(seed)
    counts = poisson_counts(rng, draw_intensity(rng, spec, HOUR))
    got = {window: dispersion(counts, window) for window in wanted}
    return {w: x for w, x in got.items() if abs(x / wanted[w] - 1.0) > TOLERANCE}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_chat_is_as_bursty_as_the_conversation_trace(seed):
    assert misses(presets.azure_conv(SERVICES), CONV, seed) == {}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_code_is_as_bursty_as_the_code_trace(seed):
    assert misses(presets.azure_code(SERVICES), CODE, seed) == {}


@pytest.mark.parametrize("wanted", [CONV, CODE])
def test_plain_poisson_fails_the_same_check(wanted):
    assert set(wanted) - {1} <= set(misses(presets.plain_poisson(SERVICES), wanted, 0))


@pytest.mark.parametrize("seed", [0, 1])
def test_ten_minute_rates_of_two_weeks_are_those_of_a_business_service(seed):
    rng = np.random.default_rng(seed)
    clock = Clock(14 * 1440, 60.0)
    counts = poisson_counts(rng, draw_intensity(rng, presets.b2b_llm(40), clock) * clock.step_s)
    rates = counts.reshape(-1, 10, 40).sum(axis=1)
    means = rates.mean(axis=0)
    assert 2.6 < np.median(rates.max(axis=0) / means) < 3.6
    assert 1.8 < np.median(np.quantile(rates, 0.99, axis=0) / means) < 2.3
    assert 0.10 < np.median(np.diff(np.log(rates), axis=0).std(axis=0)) < 0.18


@pytest.mark.parametrize(
    ("preset", "tokens", "low", "high"),
    [(presets.azure_conv, 1155.0, 0.3, 0.5), (presets.azure_code, 2048.0, 1.4, 2.0)],
)
def test_kv_demand_varies_at_ten_seconds_as_the_traces_make_it(preset, tokens, low, high):
    names = tuple(f"kv-{i}" for i in range(200))
    rng = np.random.default_rng(0)
    intensity = draw_intensity(rng, preset(200), HOUR)
    spec = KvTransferSpec(names, 1.0, tokens)
    gbit = kv_transfer.draw(rng, spec, HOUR, intensity).reshape(-1, 10, 200).sum(axis=1)
    assert low < gbit.std() / gbit.mean() < high  # over all hours: the law's own, not one hour's
