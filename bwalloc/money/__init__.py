"""Tariffs and the value law: coefficients without state, used by simulator, LPs and reports."""

from bwalloc.money.credits import CreditLaw
from bwalloc.money.law import GroupLaw, ValueLaw
from bwalloc.money.ledger import COSTS, TERMS, net_usd
from bwalloc.money.tariff import Tariff

__all__ = ["COSTS", "TERMS", "CreditLaw", "GroupLaw", "Tariff", "ValueLaw", "net_usd"]
