"""Gymnasium environments over the simulator: one episode, a batch of them, wrappers, pictures."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bwalloc.gym.env import CloudEdgeEnv
    from bwalloc.gym.registration import register_environments
    from bwalloc.gym.regret import RegretInfo
    from bwalloc.gym.replay import CompactReplay
    from bwalloc.gym.sb3 import make_sb3
    from bwalloc.gym.vector import CloudEdgeVectorEnv

__all__ = [
    "CloudEdgeEnv",
    "CloudEdgeVectorEnv",
    "CompactReplay",
    "RegretInfo",
    "make_sb3",
    "register_environments",
]

_HOME = {
    "CloudEdgeEnv": "env",
    "CloudEdgeVectorEnv": "vector",
    "CompactReplay": "replay",
    "RegretInfo": "regret",
    "make_sb3": "sb3",
    "register_environments": "registration",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: SB3 and its torch only where wanted."""
    if name not in _HOME:
        msg = f"module 'bwalloc.gym' has no attribute '{name}'"
        raise AttributeError(msg)
    return getattr(import_module(f"bwalloc.gym.{_HOME[name]}"), name)
