import re

from bwalloc.money.ledger import COSTS, LAW, SYMBOLS, TERMS, net_usd

TEX = {"sum", "min", "lvert", "rvert", "Delta", "tau", "chi"}


def test_value_is_added_and_every_cost_subtracted():
    terms = {name: float(10**place) for place, name in enumerate(TERMS)}

    assert 1.0 - sum(10.0**place for place in range(1, 7)) == net_usd(terms)


def test_signs_and_names_agree():
    assert set(TERMS) - set(COSTS) == {term.name for term in LAW if term.sign > 0}
    assert ("delivered", *COSTS) == TERMS


def test_every_letter_of_the_formulas_is_explained():
    used = set(re.findall(r"[A-Za-z]+", " ".join(term.formula for term in LAW))) - {"di", "dj"}
    known = set(re.findall(r"[A-Za-z]+", " ".join(SYMBOLS)))

    assert set() == used - known - TEX
