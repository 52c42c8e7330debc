"""The law that networks are drawn from, and what it drew."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bwalloc.gym.page.markdown import code, number, plain, range_of, table

if TYPE_CHECKING:
    from bwalloc.gym.page.subject import Subject
    from bwalloc.scenario import Scenario

SHOWN = 12
"""Test networks that the ranges are of: those of a published comparison."""


def drawn(subject: Subject) -> str:
    """How networks are drawn, the parameters of the law, and what it drew for the test split."""
    lead = "**Every episode draws a network of its own** from its split and seed: episode `s` of a "
    lead += "split has network `s` of that split. Spaces are padded to the largest network, masks "
    lead += "say which rows exist, and padding is 0. An edge site has spans to its nearest hubs, "
    lead += "hubs are joined by a Gabriel graph, clouds have on-ramps at some hubs. Every edge "
    lead += "site draws one service. Each demand of the file is a prototype: networks and sites "
    lead += "that have it draw one each. A span is as wide as its expected load times a factor. "
    lead += '`overrides={"random.seed": 7}` plays one network in all episodes.'
    law = subject.file.random
    given = law.model_dump(exclude_none=True, exclude={"split", "seed"}) if law else {}
    rows = [[code(f"random.{key}"), plain(value)] for key, value in _leaves(given, ())]
    shown = f"The tables below show network {law.seed or 0 if law else 0} of the "
    shown += f"{code(law.split if law else 'train')} split."
    parts = [lead, table(["parameter", "value"], rows), _ranges(subject), shown]
    return "\n\n".join(parts)


def _ranges(subject: Subject) -> str:
    networks = [subject.template.scenario("test", seed) for seed in range(SHOWN)]
    rows = [[what, range_of(size(each) for each in networks)] for what, size in _SIZES.items()]
    return f"The first {SHOWN} networks of the test split:\n\n{table(['', 'range'], rows)}"


def _kind(kind: str) -> Callable[[Scenario], float]:
    return lambda scenario: scenario.network.sites.kind.count(kind)


_SIZES: dict[str, Callable[[Scenario], float]] = {
    "edge sites": _kind("edge"),
    "hubs": _kind("hub"),
    "clouds": _kind("cloud"),
    "directed links": lambda scenario: scenario.network.n_links,
    "demands": lambda scenario: scenario.network.n_demands,
    "capacity of all links, Gbit/s": lambda scenario: float(
        scenario.network.links.capacity_gbps.sum()
    ),
    "bill of all spans, USD/h": lambda scenario: float(scenario.network.spans.usd_per_h.sum()),
}


def _leaves(tree: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*path, key))
        elif key != "source":
            yield ".".join((*path, key)), _text(value)


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " to ".join(map(_text, value)) if len(value) == 2 else ", ".join(map(_text, value))
    return number(value) if isinstance(value, float) else str(value)
