"""From a real topology and the law of a drawn environment to an environment file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bwalloc.errors import ScenarioError
from bwalloc.scenario.build import build_scenario, label, named
from bwalloc.scenario.generate_on import generate_on
from bwalloc.scenario.schema import EnvFile, RivalSection
from bwalloc.scenario.template import load_template
from bwalloc.scenario.toml import toml_of
from bwalloc.scenario.validate import validate

if TYPE_CHECKING:
    from bwalloc.network.readers.graph import Graph

HEAD = ("schema", "id", "title", "description", "source")
"""What a file begins with."""


def environment_on_graph(
    graph: Graph,
    *,
    name: str,
    law: str | Path = "random-edge",
    title: str = "",
    source: str = "",
    seed: int = 0,
    overrides: Mapping[str, Any] | None = None,
    envs: str | Path | None = None,
) -> str:
    """The text of an environment file (TOML): a given network, used as another file says.

    Demands, jobs, promised rates, offers, prices, failures and capacities are drawn by `[random]`
    of that file; its tuned constants stay, so that rules and agents can be compared as they are.
    See `bwalloc.scenario.generate_on.generate_on` for what the graph may say.

    Args:
        graph: any networkx graph whose edges have a length, or whose nodes have a place.
        name: id of the environment, `mine/Backbone-v1`.
        law: environment that draws its networks: slug, id or path.
        title: one line for people; by default the id.
        source: where the topology is from, and its licence.
        seed: of what is drawn.
        overrides: of the file with the law, by dotted key: `{"random.spans.cloud.headroom":
            [1.0, 1.5]}`.
        envs: folder that is searched for it first.

    Raises:
        TopologyError: The graph falls apart, or lacks lengths, an edge site or a cloud.
        ScenarioError: The law draws no networks, or a name or value is none that a file may hold.
    """
    template = load_template(law, overrides, envs)
    env, where = template.env, label(template.path)
    if env.random is None:
        msg = f"{where}: has no [random], so there is no law to draw from. Try 'random-edge'."
        raise ScenarioError(msg)
    if not isinstance(seed, Integral) or seed < 0:
        msg = f"seed: got {seed}, expected a whole number of at least 0."
        raise ScenarioError(msg)
    with named(name):
        drawn = generate_on(
            env, env.random, graph, template.path, name=name, entropy=template.entropy, seed=seed
        )
    classes = {section.traffic_class for section in drawn.demands.values()}
    about = {
        "id": name,
        "title": title or name,
        "description": f"A given network, used as the law of {env.id} says: its draw {seed}.",
        "source": source or "Where the topology is from was not said.",
        "history": {},
        "rival": RivalSection(allocator=env.rival.allocator),
        "ood": [shift for shift in drawn.ood if shift.absent_class in (None, *classes)],
    }
    return _checked(drawn.model_copy(update=about), name)


def _checked(env: EnvFile, name: str) -> str:
    """The file as text, once a scenario was built of that text."""
    tree = env.model_dump(by_alias=True, exclude_none=True, exclude_unset=True)
    text = toml_of({key: tree.pop(key) for key in HEAD if tree.get(key)} | tree)
    again = validate(EnvFile, tomllib.loads(text), name)
    build_scenario(again, Path(f"{name.rsplit('/', maxsplit=1)[-1]}.toml"), 0)
    return text
