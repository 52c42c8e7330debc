import math

import pytest

from bwalloc.gym.page.markdown import number, plain, prose, range_of, table


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (3.9e-4, "0.00039"), (math.inf, "none"), (12345.6, "12,346")]
)
def test_numbers_have_four_digits(value, text):
    assert text == number(value)


def test_many_equal_numbers_are_one():
    assert "2" == range_of([2.0, 2.0])
    assert "1 to 2.5" == range_of([2.5, 1.0])


def test_texts_hold_nothing_that_markdown_reads():
    assert r"2 \$ \| edge-\* \`x\`" == plain("2 $ |\n edge-* `x`")
    assert r"2 \$ `a|b`" == prose("2 $ `a|b`")


def test_table_has_header_rule_and_rows():
    assert "| a | b |\n| --- | --- |\n| 1 | x |" == table(["a", "b"], [[1, "x"]])
