"""Where the numbers come from, who the rival is, and what changed between versions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from bwalloc.gym.page.markdown import code, number, plain, table
from bwalloc.scenario.economics import KNOWN, variety_of
from bwalloc.workloads import TRAFFIC_CLASSES

if TYPE_CHECKING:
    from bwalloc.gym.page.subject import Subject

TEXTS = ("source", "why")
SILENT = ("one piece", "none by default")
"""Ends of sources that say that there is no number."""


def rival(subject: Subject) -> str:
    """The best classical allocator, and the threshold of the Gymnasium id."""
    best = subject.file.rival
    threshold = "no `reward_threshold` yet"
    if best.mean_return is not None:
        threshold = f"the `reward_threshold` of the id is {number(best.mean_return)}, its mean "
        threshold += "return over whole test episodes"
    return (
        f"Best classical allocator: {code(best.allocator)}; {threshold}. Classical allocators, "
        f"references and the bound: `bwalloc compare {subject.scenario.slug}`, "
        "[](../allocators.md)."
    )


def sources(subject: Subject) -> str:
    """Every `source` and `why` of the file, then those of the defaults it leaves as they are."""
    file = subject.file.model_dump(by_alias=True)
    said = [[code(key), plain(text)] for key, text in _texts(file, ())]
    lead = "Every group of numbers in the file, and who says so:"
    parts = [f"{lead}\n\n{table(['key', 'source'], said)}"]
    kinds = dict.fromkeys(variety_of(section) for section in subject.file.demands.values())
    varieties = [name for name in kinds if name not in TRAFFIC_CLASSES]
    defaults = [
        [code(f"{name}.{field}"), plain(text)]
        for name in (*subject.rows_by_class, *varieties)
        for field, text in KNOWN[name].sources.items()
        if getattr(subject.file.classes.get(name), field, None) is None
        and not text.endswith(SILENT)
    ]
    if defaults:
        lead = "Defaults of the classes that the file leaves as they are, but for fees of nothing:"
        parts.append(f"{lead}\n\n{table(['class', 'source'], defaults)}")
    return "\n\n".join(parts)


def history(subject: Subject) -> str:
    """What changed with each version of the id."""
    known = subject.file.history or {subject.file.id.rsplit("-v", 1)[1]: "First version."}
    rows = [[f"v{version}", plain(text)] for version, text in known.items()]
    lead = "The version rises whenever a score or a learning curve may move."
    whose = " of the network shown" if subject.template.is_drawn else ""
    digest = f"Digest of what shapes an episode{whose}: {code(subject.scenario.digest[:16])}."
    return f"{lead} {digest}\n\n{table(['version', 'change'], rows)}"


def _texts(tree: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(tree, dict):
        for key in TEXTS:
            if tree.get(key):
                at = path if key == "source" and path else (*path, key)
                yield ".".join(at), tree[key]
        for key, value in tree.items():
            yield from _texts(value, (*path, str(key)))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from _texts(value, (*path, str(index)))
