"""`[credits]` of an environment file."""

import pytest

from bwalloc.errors import ScenarioError
from bwalloc.scenario import load_scenario


def test_bands_of_the_file_become_the_law():
    overrides = {"credits.after_min": [1, 2], "credits.share": [0.1, 1.0]}
    law = load_scenario("tiny-edge", overrides).credits

    assert ((1.0, 2.0), (0.1, 1.0)) == (law.after_min, law.share)


@pytest.mark.parametrize("bands", [([5, 5], [0.1, 0.2]), ([5, 9], [0.2, 0.1]), ([5], [0.1, 0.2])])
def test_bands_that_do_not_rise_together_are_refused(bands):
    with pytest.raises(ScenarioError, match=r"credits: got .*as many shares as minutes"):
        load_scenario(
            "tiny-edge", dict(zip(("credits.after_min", "credits.share"), bands, strict=True))
        )
