"""One round of weighted sharing: the step that `decode` and borrowing have in common."""

from __future__ import annotations

from bwalloc.arrays import Array, Incidence, namespace

TINY = 1e-6
"""Gbit that count as nothing."""
SOFT = 1e-4
"""Put under the division so that gradients stay finite where hardly any weight is left."""


def share_once(paths: Incidence, want: Array, weight: Array, room: Array) -> Array:
    """Offer each tunnel its weight times its scarcest resource, capped by its want.

    The offer is `weight * min(room / sum of weights)` over the resources it crosses, so the sum of
    grants never exceeds the room of any resource.

    Args:
        paths: which resources each tunnel crosses.
        want: what each tunnel still wants, (tunnels, B).
        weight: weight of each tunnel, 0 where nothing is wanted any more, (tunnels, B).
        room: what each resource still has, (resources, B).

    Returns:
        The grant of each tunnel, (tunnels, B).
    """
    return namespace(want).minimum(offer_once(paths, weight, room), want)


def offer_once(paths: Incidence, weight: Array, room: Array) -> Array:
    """What `share_once` offers before it caps by want, (tunnels, B)."""
    return weight * paths.least(room / (paths.total(weight) + SOFT))
