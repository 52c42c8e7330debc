"""The whole page: one section after another."""

from __future__ import annotations

from pathlib import Path

from bwalloc.gym.page.episode import arguments, episode, splits
from bwalloc.gym.page.markdown import code, plain
from bwalloc.gym.page.money import reward
from bwalloc.gym.page.network import demands, network
from bwalloc.gym.page.sources import history, rival, sources
from bwalloc.gym.page.spaces import action, observation
from bwalloc.gym.page.subject import Subject, subject_of
from bwalloc.gym.registration import ANY

SECTIONS = (
    ("Network", network),
    ("Demands", demands),
    ("Observation", observation),
    ("Action", action),
    ("Reward", reward),
    ("Episode", episode),
    ("Splits", splits),
    ("Arguments", arguments),
    ("Rivals", rival),
    ("Sources", sources),
    ("Version history", history),
)


def page_of(name: str | Path, envs: str | Path | None = None) -> str:
    """The page of an environment as Markdown (MyST, formulas between dollars).

    Args:
        name: name, id or path of an environment.
        envs: a folder with environments of your own.
    """
    subject = subject_of(name, envs)
    parts = [_head(subject)]
    parts += [f"## {title}\n\n{write(subject)}" for title, write in SECTIONS]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _head(subject: Subject) -> str:
    file, scenario = subject.file, subject.scenario
    written_by = f"<!-- Written by `bwalloc envs show {scenario.slug} --markdown`; do not edit. -->"
    lead = f"{plain(file.title)}. Id: {code(file.id)}."
    parts = [f"# {scenario.slug}", written_by, lead, plain(file.description), _example(subject)]
    return "\n\n".join(part for part in parts if part)


def _example(subject: Subject) -> str:
    scenario = subject.scenario
    is_shipped = scenario.id.startswith("bwalloc/")
    what = f'"{scenario.id}"' if is_shipped else f'"{ANY}", env="{scenario.slug}.toml"'
    return f"""```python
import bwalloc  # registers the ids
import gymnasium
import numpy as np

env = gymnasium.make({what})
observation, info = env.reset(seed=0)
action = np.zeros(env.action_space.shape, np.float32)  # the `forecast` allocator, as it is
observation, reward, terminated, truncated, info = env.step(action)
print(reward, info["reward_terms"])
```"""
