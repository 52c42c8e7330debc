"""Reasons are stable words, and the documentation knows them all."""

import re
from pathlib import Path

import pytest

from bwalloc.allocate.limits_file import read_limits
from bwalloc.serve.reasons import REASONS, reason, word_of

PAGE = Path(__file__).parents[2] / "docs" / "fail-safe.md"


def test_the_page_lists_every_reason_with_its_meaning():
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)

    assert dict(rows).items() >= REASONS.items()


def test_a_word_comes_out_of_its_reason():
    assert "link-down" == word_of(reason("link-down", "a: b"))
    assert "kept" == word_of(reason("kept"))


def test_an_unknown_word_is_a_fault():
    with pytest.raises(AssertionError, match="no-such"):
        reason("no-such")


def test_the_limits_of_the_page_can_be_read(tmp_path):
    block = re.search(r"```toml\n(.+?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert block is not None
    (tmp_path / "limits.toml").write_text(block[1], "utf-8")

    assert 6 == read_limits(tmp_path / "limits.toml").max_orders_per_h
