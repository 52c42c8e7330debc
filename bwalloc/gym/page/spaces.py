"""Observation and action, from the tables that make the spaces."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bwalloc.allocate.policy.correction import PARTS, SPAN_PARTS, action_shape
from bwalloc.gym.page.markdown import code, number, prose, table
from bwalloc.gym.spaces import MASKS, action_space, observation_space, rows_of, tables_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bwalloc.gym.page.subject import Subject
    from bwalloc.observe import Feature

ROWS = {
    "demands": "one per demand, in the order of `scenario.network.demands.name`",
    "tunnels": "one per demand and tunnel, row `demand x tunnels + tunnel`",
    "links": "one per directed link, in the order of `scenario.network.links.name`",
    "spans": "one per span that is sold, in the order of `scenario.network.offers.span`",
    "globals": "one",
}


def observation(subject: Subject) -> str:
    """Keys, shapes and offsets, then the features of each kind of row."""
    sizes = subject.scenario.sizes
    space, tables = observation_space(sizes), tables_for(sizes)
    offset, rows = 0, list[list[object]]()
    masked = {mask: kind for kind, mask in MASKS.items()}
    for key, box in space.spaces.items():
        (length,) = box.shape or (0,)
        kind = masked.get(key, key)
        what = f"1 where the row of {code(kind)} exists, 0 where it pads"
        shape = f"{rows_of(sizes)[kind]} x {1 if key in masked else len(tables[kind])}"
        rows.append([code(key), length, shape, offset, what if key in masked else ROWS[kind]])
        offset += length
    header = ["key", "length", "rows x features", "first index when flattened", "rows"]
    lead = f"A Dict of {len(rows)} one-dimensional float32 Boxes, {offset} numbers in all "
    lead += "(`gymnasium.wrappers.FlattenObservation` joins them in this order). Number `f` of row "
    lead += "`r` stands at index `r x features + f` of its key. Everything is known at the end of "
    lead += "the interval before; nothing of the coming interval is. Every feature is a ratio, a "
    lead += "share or a logarithm of a ratio, clipped to its bounds; rows that pad are 0, which "
    lead += "the bounds of the Boxes always include."
    parts = [lead, table(header, rows)]
    parts += [f"### {kind.capitalize()}\n\n{_features(tables[kind])}" for kind in rows_of(sizes)]
    return "\n\n".join(parts)


def _features(features: Sequence[Feature]) -> str:
    rows = [
        [
            place,
            code(feature.name),
            prose(feature.meaning),
            _unit(feature.meaning),
            number(feature.low),
            number(feature.high),
        ]
        for place, feature in enumerate(features)
    ]
    return table(["index", "feature", "meaning", "unit", "low", "high"], rows)


def _unit(meaning: str) -> str:
    """Every feature is without dimension: what kind of number it is."""
    if meaning.startswith("log10"):
        return "decades"
    if meaning.startswith("log2"):
        return "octaves"
    if meaning.startswith("hours"):
        return "h"
    if meaning.startswith("log"):
        return "natural log"
    return "share" if meaning.startswith("share") else "1"


def action(subject: Subject) -> str:
    """The columns of an action, and what they are worth at their ends."""
    sizes, tuned = subject.scenario.sizes, subject.scenario.tuned.get("action", {})
    shape = action_shape(sizes.demands, sizes.tunnels)
    length = (action_space(sizes).shape or (0,))[0]
    *single, split = PARTS
    columns = [(part, part.name) for part in single]
    columns += [(split, f"{split.name} of tunnel {row}") for row in range(sizes.tunnels)]
    rows: list[list[object]] = []
    for index, (part, name) in enumerate(columns):
        scale = float(tuned.get(part.name, part.default))
        factor = f"{number(math.exp(-scale))} to {number(math.exp(scale))}"
        formula = f"$e^{{{number(scale)} a}}$"
        rows.append([index, name, formula, factor, prose(part.meaning)])
    lead = f"One float32 Box in [-1, 1] of {length} numbers: {shape[0]} rows (demands) of "
    lead += f"{shape[1]} columns; column `c` of demand `d` stands at index `d x {shape[1]} + c`. "
    lead += "Numbers of rows that pad, and of tunnels that do not exist, are ignored; larger "
    lead += "numbers are clipped. An action corrects what the tuned `forecast` allocator asks "
    lead += "for, and `decode` makes rates of it that fit every link, so **action 0 is exactly "
    lead += "`forecast`** and no action is infeasible."
    header = ["column", "part", "factor", "from -1 to 1", "meaning"]
    parts = [lead, table(header, rows)]
    if sizes.spans:
        first = shape[0] * shape[1]
        parts += [_orders(sizes.spans, first), table(header, _bars(tuned))]
    return "\n\n".join([*parts, "See [](../allocators.md) for `decode`."])


def _orders(spans: int, first: int) -> str:
    """What the numbers about spans mean."""
    lead = f"Behind them, from index {first} on, stand {spans} rows (spans that are sold) of "
    lead += f"{len(SPAN_PARTS)} columns. They move the two bars of the `two-bar` rule, behind its "
    lead += "gate: which tier follows when a paid block ends, and from which load on a larger one "
    lead += "is ordered before. With 0 the orders are exactly those of `two-bar`; every action "
    return lead + "orders tiers of the menu only."


def _bars(tuned: Mapping[str, float]) -> list[list[object]]:
    rows: list[list[object]] = []
    for index, part in enumerate(SPAN_PARTS):
        scale = float(tuned.get(part.name, part.default))
        factor = f"{number(2.0**-scale)} to {number(2.0**scale)}"
        formula = f"$2^{{{number(scale)} a}}$"
        rows.append([index, part.name, formula, factor, prose(part.meaning)])
    return rows
