import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bwalloc.allocate import Ask
from bwalloc.allocate.policy.correction import Correction
from bwalloc.scenario import load_scenario

NETWORK = load_scenario("metro-inference").network
DEMANDS, TUNNELS, BATCH = NETWORK.n_demands, NETWORK.n_tunnels, 2
SHAPE = (DEMANDS, 3 + TUNNELS, BATCH)
NAMES = ("reserve", "weight", "leftover", "split")
SCALES = st.floats(0.1, 4.0)


def some_ask(seed):
    rng = np.random.default_rng(seed)
    single = [rng.lognormal(0, 2, (DEMANDS, BATCH)).astype(np.float32) for _ in range(3)]
    split = rng.lognormal(0, 2, (DEMANDS, TUNNELS, BATCH)).astype(np.float32)
    return Ask(single[0], single[1], split, single[2])


def mapped(ask, change):
    return Ask(*(change(part) for part in (ask.want_gbps, ask.weight, ask.split, ask.spare_weight)))


@given(st.integers(0, 99), st.floats(0, 1), st.fixed_dictionaries(dict.fromkeys(NAMES, SCALES)))
def test_the_action_that_made_an_ask_is_found_again(seed, size, scales):
    correction, base = Correction(scales), some_ask(seed)
    action = np.random.default_rng(seed).uniform(-size, size, SHAPE).astype(np.float32)

    found = correction.action_for(base, correction(base, action))

    assert SHAPE == found.shape
    np.testing.assert_allclose(action, found, atol=2e-5)
    assert (np.abs(found) <= 1).all()


@pytest.mark.parametrize(("factor", "expected"), [(1e9, 1.0), (1e-9, -1.0), (0.0, -1.0), (1, 0.0)])
def test_what_is_out_of_reach_is_clipped(factor, expected):
    correction, base = Correction({}), some_ask(0)
    ask = mapped(base, lambda part: np.float32(factor) * part)

    np.testing.assert_array_equal(
        np.full(SHAPE, expected, np.float32), correction.action_for(base, ask)
    )


@pytest.mark.filterwarnings("error")
def test_no_action_is_found_where_none_does_anything():
    nothing = mapped(some_ask(0), lambda part: 0 * part)
    correction = Correction({})

    assert not correction.action_for(nothing, some_ask(1)).any()
    assert not Correction({"weight": 0.0}).action_for(some_ask(0), some_ask(1))[:, 1].any()


def test_it_runs_on_torch():
    torch = pytest.importorskip("torch")
    correction, base, other = Correction({}), some_ask(0), some_ask(1)

    found = correction.action_for(mapped(base, torch.as_tensor), mapped(other, torch.as_tensor))

    np.testing.assert_allclose(correction.action_for(base, other), found.numpy(), atol=1e-6)
