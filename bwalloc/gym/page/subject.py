"""What a page is about: the checked file, and the scenario that is built of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.scenario import load_template

if TYPE_CHECKING:
    from bwalloc.scenario import Scenario, Template
    from bwalloc.scenario.schema import EnvFile


@dataclass(frozen=True, slots=True)
class Subject:
    """One environment.

    Attributes:
        template: What its scenarios are built from.
        file: The file as it stands.
        network_file: The file of the network that is shown: `file`, or what its law draws.
        scenario: The scenario that is shown.
    """

    template: Template
    file: EnvFile
    network_file: EnvFile
    scenario: Scenario

    @property
    def rows_by_class(self) -> dict[str, np.ndarray]:
        """Rows of the demands of each traffic class, in the order of the network."""
        names = np.array(self.scenario.network.demands.traffic_class)
        return {str(name): np.flatnonzero(names == name) for name in dict.fromkeys(names)}


def subject_of(name: str | Path, envs: str | Path | None = None) -> Subject:
    """Read an environment by name, id or path; raises what `load_scenario` raises."""
    template = load_template(name, envs=envs)
    return Subject(template, template.env, template.usual_file, template.usual)
