"""From telemetry to rates and orders: `decode`, limits, allocators, and what nobody can beat.

Where what is:

- `decode` makes what is asked fit (`sharing`, `compiled`), keeping promised rates (`reserve`,
  `floors`); `limits` says what a feasible decision is, `projection` makes one so.
- `rule` and `session` are the protocols, `catalogue` the names.
- `rules` answer what was just measured; `lp` solve a programme; `orders` say who orders which tier.
- `policy`: learned corrections of `forecast`, the network on NumPy, one whole decision.
- `plan`: the clairvoyant's plan and the proven bound; `stall` is the part of groups in both.
"""

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
