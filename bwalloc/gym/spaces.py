"""Observation and action spaces, built from the tables of features and of action parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from gymnasium import spaces

from bwalloc.allocate.policy.correction import SPAN_PARTS, action_length, action_shape
from bwalloc.arrays import Array, namespace
from bwalloc.errors import ActionError
from bwalloc.observe import Feature, tables_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bwalloc.network import Network
    from bwalloc.scenario import Sizes

MASKS = {
    "demands": "demand_mask",
    "tunnels": "tunnel_mask",
    "links": "link_mask",
    "spans": "span_mask",
}
"""The mask of each kind of row: 1 where the row exists, 0 where it pads."""


def rows_of(sizes: Sizes) -> dict[str, int]:
    """Padded number of rows of each kind; there are spans only where capacity is sold."""
    rows = {
        "demands": sizes.demands,
        "tunnels": sizes.demands * sizes.tunnels,
        "links": sizes.links,
        "globals": 1,
    }
    return rows | ({"spans": sizes.spans} if sizes.spans else {})


def tables_for(sizes: Sizes) -> dict[str, tuple[Feature, ...]]:
    """The features of each kind of row."""
    return tables_of(spans=sizes.sees_everything)


def observation_space(sizes: Sizes) -> spaces.Dict:
    """A flat Dict of finite one-dimensional Boxes: rows x features per kind of row, and masks."""
    boxes: dict[str, spaces.Space[np.ndarray]] = {}
    for kind, rows in rows_of(sizes).items():
        table = tables_for(sizes)[kind]
        low, high = (np.array([f[place] for f in table], np.float32) for place in (1, 2))
        low, high = np.minimum(low, 0), np.maximum(high, 0)  # padding is 0
        boxes[kind] = spaces.Box(np.tile(low, rows), np.tile(high, rows))
    for kind, rows in rows_of(sizes).items():
        if kind in MASKS:
            boxes[MASKS[kind]] = spaces.Box(0.0, 1.0, (rows,), np.float32)
    return spaces.Dict(boxes)


def action_space(sizes: Sizes) -> spaces.Box:
    """One Box in [-1, 1]: demands x (3 + tunnels), spans x 2, flat; rows that pad are ignored."""
    length = action_length(sizes.demands, sizes.tunnels, sizes.spans)
    return spaces.Box(-1.0, 1.0, (length,), np.float32)


def split_action(actions: Array, sizes: Sizes) -> tuple[Array, Array]:
    """Flat actions (B, numbers), NumPy or torch, about demands and about spans, still padded.

    Returns:
        (B, demands, 3 + tunnels) and (B, spans, 2).
    """
    rows, columns = action_shape(sizes.demands, sizes.tunnels)
    demands, about = actions[:, : rows * columns], actions[:, rows * columns :]
    shape = (len(actions), sizes.spans, len(SPAN_PARTS))
    return demands.reshape(len(actions), rows, columns), about.reshape(shape)


def masks_of(network: Network, sizes: Sizes) -> dict[str, np.ndarray]:
    """The masks of one network, float32."""
    rows = rows_of(sizes)
    exists = np.zeros((sizes.demands, sizes.tunnels), np.float32)
    exists[: network.n_demands, : network.n_tunnels] = network.tunnels.exists
    masks = {
        "demand_mask": _ones(network.n_demands, rows["demands"]),
        "tunnel_mask": exists.ravel(),
        "link_mask": _ones(network.n_links, rows["links"]),
    }
    if sizes.spans:
        masks["span_mask"] = _ones(n_sold(network), sizes.spans)
    return masks


def n_sold(network: Network) -> int:
    """Spans on which capacity is sold."""
    return 0 if network.offers is None else len(network.offers.span)


def padded(
    features: dict[str, np.ndarray], network: Network, sizes: Sizes
) -> dict[str, np.ndarray]:
    """Features (F, rows, B) as observations (B, padded rows x F), new arrays."""
    shape = (network.n_demands, network.n_tunnels)
    observation: dict[str, np.ndarray] = {}
    for kind, rows in rows_of(sizes).items():
        turned = features[kind].transpose(2, 1, 0)
        batch, given, count = turned.shape
        if given == rows:
            observation[kind] = turned.reshape(batch, -1)  # copies: `turned` is not contiguous
            continue
        whole = np.zeros((batch, rows, count), np.float32)
        if kind == "tunnels":
            by_tunnel = whole.reshape(batch, sizes.demands, sizes.tunnels, count)
            by_tunnel[:, : shape[0], : shape[1]] = turned.reshape(batch, *shape, count)
        else:
            whole[:, :given] = turned
        observation[kind] = whole.reshape(batch, -1)
    return observation


def features_of(
    observation: Mapping[str, Array], network: Network, sizes: Sizes
) -> dict[str, Array]:
    """The inverse of `padded`: observations (B, ...), NumPy or torch, as features (F, rows, B)."""
    given = {"demands": network.n_demands, "links": network.n_links, "globals": 1}
    given["spans"] = n_sold(network)
    features: dict[str, Array] = {}
    for kind in rows_of(sizes):
        values, count = observation[kind], len(tables_for(sizes)[kind])
        moved = namespace(values).moveaxis
        if kind == "tunnels":
            whole = values.reshape(len(values), sizes.demands, sizes.tunnels, count)
            used = whole[:, : network.n_demands, : network.n_tunnels]
            rows = used.reshape(len(values), -1, count)
        else:
            rows = values.reshape(len(values), -1, count)[:, : given[kind]]
        features[kind] = moved(rows, (0, 1, 2), (2, 1, 0))
    if sizes.sees_everything and not sizes.spans:  # nothing is sold: no rows
        seen = features["globals"]
        empty = (len(tables_for(sizes)["spans"]), 0, seen.shape[-1])
        features["spans"] = seen[:0, :0].reshape(empty)
    return features


def checked_actions(actions: object, shape: tuple[int, ...]) -> np.ndarray:
    """Actions as float32 in [-1, 1] of the given shape; larger numbers are clipped.

    Raises:
        ActionError: The shape is wrong, or a number is not finite; names the first.
    """
    try:
        given = np.asarray(actions)
    except (TypeError, ValueError):
        given = np.array(None)
    if given.dtype.kind not in "fiub":
        msg = f"Action: got {type(actions).__name__}, expected numbers of shape {shape}."
        raise ActionError(msg)
    if given.shape != shape:
        msg = f"Action: got shape {given.shape}, expected {shape}."
        raise ActionError(msg)
    if not np.isfinite(given).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(given))[0])
        msg = f"Action{list(place)}: got {given[place]}, expected a finite number in [-1, 1]."
        raise ActionError(msg)
    return np.clip(given, -1.0, 1.0).astype(np.float32, copy=False)


def _ones(count: int, rows: int) -> np.ndarray:
    mask = np.zeros(rows, np.float32)
    mask[:count] = 1.0
    return mask
