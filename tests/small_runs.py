"""Settings of PPO and SAC that end within seconds."""

import pytest

SMALL = {
    "ppo": {"n_envs": 4, "n_steps": 8, "batch_size": 16, "critic_first": 0},
    "sac": {
        "n_envs": 4, "batch_size": 16, "buffer_size": 512, "learning_starts": 32,
        "gradient_steps": 1, "critic_first": 0,
    },
}  # fmt: skip
BOTH = pytest.mark.parametrize("algorithm", ["ppo", "sac"])
