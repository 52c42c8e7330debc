"""What a training run on public matrices follows from."""

from __future__ import annotations

from dataclasses import dataclass

from bwalloc.allocate.policy.neural import Architecture

NETWORK = Architecture(hidden=32, rounds=2)
"""Sizes of the policy network here."""


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """Sizes and rates; the same settings on one thread give the same weights.

    Attributes:
        architecture: of the network; None trains constants per tunnel alone.
        constants: whether the policy starts from trained constants per tunnel, which tie it to its
            network, instead of equal parts.
        looks: see `SplitPolicy`.
        updates: steps of the optimiser.
        batch: matrices in each.
        learning_rate: of Adam on the network; falls along a cosine to `final_share` of it.
        constants_rate: the same for the constants.
        clip_norm: largest norm of a gradient of the network.
        memory: share that the running mean of the weights keeps at each update.
        copies, spread: of varied matrices, see `with_varied`.
        validate_every: updates between two validations.
        seed: of weights and batches.
    """

    architecture: Architecture | None = NETWORK
    constants: bool = False
    looks: int = 3
    updates: int = 450
    batch: int = 16
    learning_rate: float = 6e-3
    constants_rate: float = 0.05
    final_share: float = 0.02
    clip_norm: float = 1.0
    memory: float = 0.95
    copies: int = 3
    spread: float = 0.3
    validate_every: int = 20
    seed: int = 0


CONSTANTS_ALONE = TrainSettings(
    architecture=None, constants=True, updates=1000, batch=64, validate_every=50
)
"""Tunes one split for all matrices: the training without a network."""
