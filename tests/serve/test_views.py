"""A tenant sees its own rows of a decision and nothing of others."""

import numpy as np
import pytest
from supervising import Loop, as_before, behave, bound
from wide import wide

from bwalloc.control import Order, to_json
from bwalloc.errors import LimitsError
from bwalloc.serve import tenant_view
from bwalloc.serve.policy.runtime import Proposal

NETWORK = wide(12, 5)


def decided():
    mine = Loop(bound(NETWORK))
    inner = as_before(mine.supervisor)
    orders = (Order("span-1", 90.0), Order("nowhere", 1.0))
    behave(mine.supervisor, lambda given: Proposal(inner(given).rates_gbps, orders))
    return mine.turn()


def test_a_tenant_sees_its_own_rows():
    decision = decided()
    view = tenant_view(decision, NETWORK, "tenant-3")

    assert ("demand-3", "demand-7", "demand-11") == view.demands
    np.testing.assert_array_equal(decision.rates_gbps[3::4], view.rates_gbps)
    assert (decision.id, decision.source) == (view.id, view.source)


def test_nothing_in_it_tells_of_others():
    text = to_json(tenant_view(decided(), NETWORK, "tenant-3"))

    assert "span-1" not in text
    assert "order-unknown-span" in text
    assert "order-unknown-span: " not in text
    assert not [
        name for name in NETWORK.demands.name if f'"{name}"' in text and int(name[7:]) % 4 != 3
    ]


def test_who_is_no_tenant_sees_nothing():
    with pytest.raises(LimitsError, match=r"No tenant 'tenant-9'.*Nearest"):
        tenant_view(decided(), NETWORK, "tenant-9")
