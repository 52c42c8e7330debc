"""Modules and their Adam moments as flat arrays, and back: a checkpoint without pickle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

Modules = Mapping[str, nn.Module]
Optimisers = Mapping[str, torch.optim.Optimizer]


def modules_to_arrays(modules: Modules, optimisers: Optimisers) -> dict[str, np.ndarray]:
    """Copies of all parameters (`NAME/weights/...`) and moments (`NAME/adam/...`)."""
    arrays: dict[str, np.ndarray] = {}
    for name, module in modules.items():
        for key, value in module.state_dict().items():
            arrays[f"{name}/weights/{key}"] = value.detach().cpu().numpy().copy()
    for name, optimiser in optimisers.items():
        for row, state in optimiser.state_dict()["state"].items():
            for key, value in state.items():
                arrays[f"{name}/adam/{row}/{key}"] = torch.as_tensor(value).cpu().numpy().copy()
    return arrays


def arrays_to_modules(
    arrays: Mapping[str, np.ndarray], modules: Modules, optimisers: Optimisers
) -> None:
    """Load what `modules_to_arrays` gave into modules and optimisers of the same shapes."""
    for name, module in modules.items():
        module.load_state_dict(_under(arrays, f"{name}/weights/"))
    for name, optimiser in optimisers.items():
        state: dict[int, dict[str, Any]] = {}
        for key, value in _under(arrays, f"{name}/adam/").items():
            row, _, part = key.partition("/")
            state.setdefault(int(row), {})[part] = value
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": state, "param_groups": groups})


def _under(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, torch.Tensor]:
    return {
        key.removeprefix(prefix): torch.as_tensor(value)
        for key, value in arrays.items()
        if key.startswith(prefix)
    }
