"""In which order classes change, so that guarantees fit their link after each single step."""

from __future__ import annotations

from bwalloc.serve.planes.htb.layout import FIRST_POOL, ROOT, ClassId
from bwalloc.serve.planes.htb.table import Rates, Table

Step = tuple[ClassId, Rates]


def steps(before: Table, after: Table) -> list[Step]:
    """What changes: first what falls, then the links themselves, then what rises.

    Pools fall after their members and rise before them. After each step the rates of a link's
    classes fit the link, if they do so before and after all of them.
    """
    changed = [(key, rates) for key, rates in after.items() if before.get(key) != rates]
    return sorted(changed, key=lambda step: _turn(before, *step))


def _turn(before: Table, key: ClassId, rates: Rates) -> int:
    if key[1] == ROOT:
        return 2
    is_pool = key[1] >= FIRST_POOL
    if key in before and rates.rate <= before[key].rate:
        return 1 if is_pool else 0
    return 3 if is_pool else 4
