"""The colours of the page: readable, and told apart without seeing hue."""

from __future__ import annotations

import re

import numpy as np
import pytest

from bwalloc.bench.report.map import STEPS
from bwalloc.bench.report.write import TEMPLATES


def test_colours_of_text_stand_out_from_what_is_below_them():
    style = (TEMPLATES / "style.css").read_text()
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#\w+)", part)) for part in style.split("@media")[:2]
    )
    for colours in (light, {**light, **dark}):
        pairs = [(ink, ground) for ink in ("ink", "soft") for ground in ("page", "card")]
        for ink, ground in [
            *pairs,
            ("win", "win-soft"),
            ("warn", "warn-soft"),
            ("soft", "win-soft"),
        ]:
            assert _contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)


@pytest.mark.parametrize("part", [0, 1])
def test_colours_of_utilisation_are_told_apart_by_lightness_alone(part):
    style = (TEMPLATES / "charts.css").read_text().split("@media")[part]
    ramp = [_luminance(colour) for colour in re.findall(r"--u\d: (#\w+)", style)]
    assert len(ramp) == len(STEPS) + 1
    assert ramp in (sorted(ramp), sorted(ramp, reverse=True))


def _contrast(one, other):
    bright, dim = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def _luminance(colour):
    """Relative luminance of WCAG 2."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return float(np.dot((0.2126, 0.7152, 0.0722), linear))
