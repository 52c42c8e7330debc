"""What a page is about: the checked file, and the scenario that is built of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.scenario import find, load_scenario
from bwalloc.scenario.build import read_env

if TYPE_CHECKING:
    from bwalloc.scenario import Scenario
    from bwalloc.scenario.schema import EnvFile


@dataclass(frozen=True, slots=True)
class Subject:
    """One environment; `is_drawn` says that every episode draws a network of its own."""

    file: EnvFile
    scenario: Scenario
    is_drawn: bool

    @property
    def rows_by_class(self) -> dict[str, np.ndarray]:
        """Rows of the demands of each traffic class, in the order of the network."""
        names = np.array(self.scenario.network.demands.traffic_class)
        return {str(name): np.flatnonzero(names == name) for name in dict.fromkeys(names)}


def subject_of(name: str | Path, envs: str | Path | None = None) -> Subject:
    """Read an environment by name, id or path; raises what `load_scenario` raises."""
    file, _ = read_env(find(name, envs))
    is_drawn = getattr(file, "random", None) is not None
    return Subject(file, load_scenario(name, envs=envs), is_drawn)
