"""Rates that `tc` shows in full."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bwalloc.serve.planes.htb.rates import MOST_BPS, UNITS, bits, shown


def printed(bps):
    """print_rate of iproute2 6.1, with the kernel's whole bytes, read back."""
    rate, units = bps // 8 * 8, list(UNITS)
    for unit in units:
        if rate < 1000 or (rate % 1000 != 0 and rate < 1000 * 1000) or unit == units[-1]:
            return rate * UNITS[unit]
        rate //= 1000
    raise AssertionError


@given(st.integers(8, MOST_BPS))
def test_a_shown_rate_comes_back_as_it_was(bps):
    rate = shown(bps)

    assert rate == printed(rate)
    assert bps * (1 - 1e-3) - 8 < rate <= bps


@given(st.integers(8, MOST_BPS))
def test_a_shown_rate_stays_what_it_is(bps):
    assert shown(bps) == shown(shown(bps))


@pytest.mark.parametrize(("gbps", "bps"), [(0.0, 0), (14.3, 14_300_000_000), (1e30, MOST_BPS)])
def test_gbit_are_bits(gbps, bps):
    assert bps == bits(gbps)
