"""`CompactReplay`: a replay memory for Stable-Baselines3 a quarter the size of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.type_aliases import DictReplayBufferSamples

from bwalloc.gym.spaces import MASKS

if TYPE_CHECKING:
    from stable_baselines3.common.vec_env import VecNormalize

LIMIT_BYTES = 2 * 1024**3
"""Memory that a buffer may take: 2 GiB."""


class CompactReplay(ReplayBuffer):
    """Transitions with Dict observations, each observation kept once and in 16 bits.

    Features lie within [-6, 6] and lose 3 of their 7 digits; masks are kept as bytes. What follows
    a step is the observation of the next row, and where an episode ended there, a copy apart. A
    buffer that would take more than `limit_bytes` is made shorter. Use it as
    `SAC("MultiInputPolicy", env, replay_buffer_class=CompactReplay)`.
    """

    def __init__(  # no super().__init__: that of ReplayBuffer allocates what this avoids
        self,
        buffer_size: int,
        observation_space: spaces.Dict,
        action_space: spaces.Box,
        device: Any = "auto",
        n_envs: int = 1,
        optimize_memory_usage: bool = True,
        handle_timeout_termination: bool = True,
        limit_bytes: int = LIMIT_BYTES,
    ) -> None:
        """Allocate; the arguments are those of `ReplayBuffer`, and `limit_bytes`."""
        super(ReplayBuffer, self).__init__(
            buffer_size, observation_space, action_space, device, n_envs
        )
        boxes = observation_space.spaces
        widths = {name: int(np.prod(box.shape or ())) for name, box in boxes.items()}
        self._kinds = {name: _kind(name) for name in boxes}
        row = sum(widths[name] * kind.itemsize for name, kind in self._kinds.items())
        row += 2 * self.action_dim + 4 + 1
        self.buffer_size = max(min(buffer_size, limit_bytes // row) // n_envs, 2)
        rows = (self.buffer_size, n_envs)
        self.seen = {
            name: np.zeros((*rows, widths[name]), kind) for name, kind in self._kinds.items()
        }
        self.actions = np.zeros((*rows, self.action_dim), np.float16)
        self.rewards = np.zeros(rows, np.float32)
        self.dones = np.zeros(rows, np.bool_)
        self.final: dict[tuple[int, int], dict[str, np.ndarray]] = {}
        """What followed the rows (position, environment) where an episode ended."""
        self.handle_timeout_termination = handle_timeout_termination

    @property
    def nbytes(self) -> int:
        """Bytes of everything that is kept."""
        arrays = [*self.seen.values(), self.actions, self.rewards, self.dones]
        ends = [part for end in self.final.values() for part in end.values()]
        return sum(array.nbytes for array in [*arrays, *ends])

    def add(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        obs: dict[str, np.ndarray],
        next_obs: dict[str, np.ndarray],
        action: np.ndarray,
        reward: np.ndarray,
        done: np.ndarray,
        infos: list[dict[str, Any]],
    ) -> None:
        """Keep one step of every environment."""
        here, after = self.pos, (self.pos + 1) % self.buffer_size
        ended = np.asarray(done, bool)
        for name, kept in self.seen.items():
            kept[here] = obs[name].reshape(kept[here].shape)
            kept[after] = next_obs[name].reshape(kept[after].shape)
        for column in range(self.n_envs):
            self.final.pop((here, column), None)
            if ended[column]:
                self.final[here, column] = {
                    name: next_obs[name][column].ravel().astype(kind)
                    for name, kind in self._kinds.items()
                }
        self.actions[here] = action.reshape(self.n_envs, self.action_dim)
        self.rewards[here] = reward
        cut = [bool(info.get("TimeLimit.truncated", False)) for info in infos]
        self.dones[here] = ended & ~(np.array(cut) & self.handle_timeout_termination)
        self.pos = after
        self.full = self.full or after == 0

    def sample(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, batch_size: int, env: VecNormalize | None = None
    ) -> DictReplayBufferSamples:
        """Transitions at random; the row that is written next is never among them."""
        first, count = (self.pos + 1, self.buffer_size - 1) if self.full else (0, self.pos)
        rows = (first + np.random.randint(0, count, batch_size)) % self.buffer_size  # noqa: NPY002
        columns = np.random.randint(0, self.n_envs, batch_size)  # noqa: NPY002
        return self._samples(rows, columns, env)

    def _samples(
        self, rows: np.ndarray, columns: np.ndarray, env: VecNormalize | None
    ) -> DictReplayBufferSamples:
        after = (rows + 1) % self.buffer_size
        now = {name: kept[rows, columns] for name, kept in self.seen.items()}
        then = {name: kept[after, columns] for name, kept in self.seen.items()}
        for place, key in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
            if key in self.final:
                for name, values in self.final[key].items():
                    then[name][place] = values
        given = self.rewards[rows, columns].reshape(-1, 1)
        return DictReplayBufferSamples(
            observations=self._tensors(now, env),
            actions=self._tensor(self.actions[rows, columns]),
            next_observations=self._tensors(then, env),
            dones=self._tensor(self.dones[rows, columns].reshape(-1, 1)),
            rewards=self._tensor(self._normalize_reward(given, env)),
        )

    def _tensors(self, values: dict[str, np.ndarray], env: VecNormalize | None) -> dict[str, Any]:
        shapes: dict[str, Any] = self.obs_shape  # pyright: ignore[reportAssignmentType]
        whole = {
            name: part.astype(np.float32).reshape(-1, *shapes[name])
            for name, part in values.items()
        }
        normal: dict[str, Any] = self._normalize_obs(whole, env)  # pyright: ignore
        return {name: self._tensor(part) for name, part in normal.items()}

    def _tensor(self, values: np.ndarray) -> Any:
        return self.to_torch(values.astype(np.float32), copy=False)


def _kind(name: str) -> np.dtype[Any]:
    return np.dtype(np.uint8 if name in MASKS.values() else np.float16)
