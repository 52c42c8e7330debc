"""Numbers as a reader sees them."""

from __future__ import annotations

import pytest

from bwalloc.bench.report.figures import amount, listed, share, ticks


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.00"), (-0.001, "0.00"), (12.34, "12.3"), (-1234.5, "\u22121,234"), (99.96, "100")],
)
def test_amounts_have_three_digits_or_so(value, text):
    assert amount(value) == text


@pytest.mark.parametrize(
    ("numbers", "text"), [([], ""), ([4], "4"), ([0, 1, 2], "0 to 2"), ([0, 2], "0, 2")]
)
def test_a_run_of_numbers_is_named_by_its_ends(numbers, text):
    assert listed(numbers) == text


def test_what_is_no_number_is_a_dash():
    assert {amount(None), share(float("nan")), amount(float("inf"))} == {"\u2013"}


@pytest.mark.parametrize(("low", "high"), [(0, 1.05), (-13, 480), (0, 1e-4), (-2e6, 7)])
def test_ticks_are_few_and_inside(low, high):
    found = ticks(low, high)
    assert 2 <= len(found) <= 7
    assert low - 1e-9 <= found[0] < found[-1] <= high + 1e-9
