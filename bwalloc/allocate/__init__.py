"""From telemetry to rates: `decode`, limits, and the classical allocators."""

from bwalloc.allocate.catalogue import CLASSICAL, ORDERING, REFERENCES, make_rule
from bwalloc.allocate.decode import Ask, Decoder, decode
from bwalloc.allocate.rule import Context, Ordering, Rule, orders_of
from bwalloc.allocate.session import ClassicalAllocator, make_allocator

__all__ = [
    "CLASSICAL",
    "ORDERING",
    "REFERENCES",
    "Ask",
    "ClassicalAllocator",
    "Context",
    "Decoder",
    "Ordering",
    "Rule",
    "decode",
    "make_allocator",
    "make_rule",
    "orders_of",
]
