"""The card of an agent is of whole comparisons."""

from pathlib import Path

import pytest

from bwalloc.bench import card
from bwalloc.bench.compare import Comparison
from bwalloc.bench.tasks import Setting


def test_an_interrupted_comparison_makes_no_scores(monkeypatch):
    def interrupted(env, **_):
        return Comparison(Setting(env), interrupted=True)

    monkeypatch.setattr(card, "compare", interrupted)

    with pytest.raises(KeyboardInterrupt):
        card.scores_of(Path("agent"), "tiny-edge", episodes=2)
