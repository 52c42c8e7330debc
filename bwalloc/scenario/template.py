"""An environment file with its overrides: one network, or the law that networks are drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bwalloc.scenario.build import build_scenario, label, named, read_env
from bwalloc.scenario.catalogue import find
from bwalloc.scenario.generate import check_law, generate, sizes_of

if TYPE_CHECKING:
    from bwalloc.scenario.scenario import Scenario
    from bwalloc.scenario.schema import EnvFile

KEPT = 64
"""Drawn networks kept at a time; one takes about 20 ms to draw."""


@dataclass(frozen=True)
class Template:
    """What the scenarios of an environment are built from.

    Attributes:
        env: The checked file, overrides applied.
        path: Where it lies.
        entropy: Of its networks and worlds: the hash of the file without overrides.
    """

    env: EnvFile
    path: Path
    entropy: int
    _kept: dict[tuple[str, int], Scenario] = field(default_factory=dict, repr=False, compare=False)

    @property
    def is_drawn(self) -> bool:
        """Whether every episode draws a network of its own."""
        return self.env.random is not None and self.env.random.seed is None

    @cached_property
    def usual(self) -> Scenario:
        """The one scenario; of a drawn environment, the network that stands for all."""
        return self._built(*self._stand_in())

    @property
    def usual_file(self) -> EnvFile:
        """The file of one network that `usual` is built from."""
        return self.file(*self._stand_in())

    def scenario(self, split: str, seed: int) -> Scenario:
        """The scenario of episode `seed` of a split.

        Raises:
            UnknownNameError: There is no such split.
            ScenarioError: The seed is negative.
        """
        if not self.is_drawn:
            return self.usual
        found = self._kept.get((split, seed))
        if found is None:
            found = self._built(split, seed)
            while len(self._kept) >= KEPT:
                self._kept.pop(next(iter(self._kept)), None)  # the oldest
            self._kept[split, seed] = found
        return found

    def file(self, split: str, seed: int) -> EnvFile:
        """The file of one network: that of the environment, or what `[random]` draws.

        Raises:
            UnknownNameError: There is no such split.
            ScenarioError: The seed is negative.
        """
        law = self.env.random
        if law is None:
            return self.env
        with named(label(self.path)):
            return generate(self.env, law, self.path, split=split, entropy=self.entropy, seed=seed)

    def __getstate__(self) -> dict[str, Any]:
        """Networks are drawn again where a copy needs them."""
        return {**self.__dict__, "_kept": {}}

    def _stand_in(self) -> tuple[str, int]:
        law = self.env.random
        return (law.split, law.seed or 0) if law else ("train", 0)

    def _built(self, split: str, seed: int) -> Scenario:
        law, file = self.env.random, self.file(split, seed)
        if law is None:
            return build_scenario(file, self.path, self.entropy)
        sizes = sizes_of(self.env, law)
        return build_scenario(
            file, self.path, self.entropy, sizes=sizes, record_episodes=law.record_episodes
        )


def load_template(
    name: str | Path,
    overrides: Mapping[str, Any] | None = None,
    envs: str | Path | None = None,
) -> Template:
    """The environment `name`, read and checked; arguments and errors of `load_scenario`."""
    path = find(name, envs)
    env, entropy = read_env(path, overrides)
    if env.random is not None:
        check_law(env, env.random, label(path))
    return Template(env, path, entropy)


def load_scenario(
    name: str | Path,
    overrides: Mapping[str, Any] | None = None,
    envs: str | Path | None = None,
) -> Scenario:
    """The environment `name`, with values replaced by dotted key.

    An environment that draws a network for every episode is represented by one of them, with the
    padded sizes of all; `overrides={"random.seed": 7}` picks another.

    Args:
        name: Slug such as `metro-inference`, id such as `bwalloc/MetroInference-v1`, or a path.
        overrides: `{"surge.scale": 2, "intervals": 40}`; see `bwalloc.scenario.overrides`.
        envs: Folder that is searched before `BWALLOC_ENVS` and the shipped catalogue.

    Raises:
        UnknownNameError: If there is no such environment.
        ScenarioError: If the file or an override is broken; names file, key and value.
        TopologyError: If the network does not hang together or a demand cannot be routed.
    """
    return load_template(name, overrides, envs).usual
