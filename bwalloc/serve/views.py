"""What a tenant may see of a decision: its own rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.errors import LimitsError, nearest
from bwalloc.serve.reasons import word_of
from bwalloc.serve.trusted import trusted_decision

if TYPE_CHECKING:
    from bwalloc.control import Decision
    from bwalloc.network import Network


def tenant_view(decision: Decision, network: Network, tenant: str) -> Decision:
    """The decision with the rows of one tenant's demands, and nothing that tells of others.

    Orders are left out, and of reasons only their words remain.

    Args:
        decision: for `network`.
        network: says whose each demand is.
        tenant: who looks.

    Raises:
        LimitsError: There is no such tenant.
    """
    tenants = network.demands.tenant
    if tenant not in tenants:
        msg = f"No tenant '{tenant}' in network '{network.name}'. {nearest(tenant, tenants)}"
        raise LimitsError(msg)
    mine = {
        name
        for name, owner in zip(network.demands.name, tenants, strict=True)
        if owner == tenant
    }  # fmt: skip
    rows = np.array([name in mine for name in decision.demands], bool)
    return trusted_decision(
        id=decision.id,
        demands=tuple(name for name in decision.demands if name in mine),
        rates_gbps=decision.rates_gbps[rows],
        valid_until=decision.valid_until,
        source=decision.source,
        policy_version=decision.policy_version,
        reasons=tuple(dict.fromkeys(word_of(reason) for reason in decision.reasons)),
    )
