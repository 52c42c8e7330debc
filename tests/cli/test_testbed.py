"""`bwalloc testbed`: what it refuses, and how it tells what it found. No packet is sent."""

import pytest

from bwalloc.cli import testbed as command
from bwalloc.cli.main import main


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "Name an environment"),
        (["tiny-edge", "--seconds", "-1"], "--seconds"),
        (["tiny-edge", "--allocators", "nobody"], "No allocator called 'nobody'"),
        (["national-mixed"], "does not play yet"),
        (["tiny-edge", "--plane", "none"], "plane"),
        (["tiny-edge", "--json", "/"], "--json"),
    ],
)
def test_bad_input_is_one_line_and_code_2(words, text, capsys):
    assert 2 == main(["testbed", *words])
    said = capsys.readouterr().err
    assert text in said
    assert "Traceback" not in said


def test_missing_rights_are_told_before_any_work(monkeypatch, capsys):
    from bwalloc.bench.testbed import needs

    monkeypatch.setattr(needs.os, "geteuid", lambda: 1000)
    assert 2 == main(["testbed", "tiny-edge"])
    assert "root" in capsys.readouterr().err


def test_each_target_is_a_line_and_a_miss_stands_out():
    verdict = {
        "pairs": {"target": "at least 3", "found": 2, "holds": False},
        "ranking": {"target": "same order", "found": ["a / b"], "holds": False},
        "served": {"target": "within 0.03", "found": 0.0123, "holds": True},
    }
    assert [
        "pairs: MISSED (at least 3; found 2)",
        "ranking: MISSED (same order; found not so: a / b)",
        "served: holds (within 0.03; found 0.0123)",
    ] == command.verdict_lines({"verdict": verdict})
