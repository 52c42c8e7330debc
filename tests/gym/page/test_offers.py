"""Pages say what can be ordered, where something can."""

from bwalloc.gym.page.network import network
from bwalloc.gym.page.subject import subject_of


def test_offers_stand_with_tiers_prices_and_terms():
    text = network(subject_of("enterprise-naas"))

    assert "16 spans are sold by the tier" in text
    assert (
        "| `alpha` | alpha | `dc--cloud-a`, `exchange--cloud-a` | 1, 2, 5, 10, 25 "
        "| 0.33, 0.66, 1.65, 2.48, 6.20 | 300, 1800 | 1 | 1, 1 |"
    ) in text


def test_where_nothing_is_sold_nothing_is_said_of_it():
    assert "sold" not in network(subject_of("tiny-edge"))
