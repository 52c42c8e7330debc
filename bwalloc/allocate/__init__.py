"""From telemetry to rates: `decode`, limits, and the classical allocators."""

from bwalloc.allocate.catalogue import CLASSICAL, REFERENCES, make_rule
from bwalloc.allocate.decode import Ask, Decoder, decode
from bwalloc.allocate.rule import Context, Rule
from bwalloc.allocate.session import ClassicalAllocator, make_allocator

__all__ = [
    "CLASSICAL",
    "REFERENCES",
    "Ask",
    "ClassicalAllocator",
    "Context",
    "Decoder",
    "Rule",
    "decode",
    "make_allocator",
    "make_rule",
]
