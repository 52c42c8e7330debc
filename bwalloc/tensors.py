"""Named arrays as safetensors: a header of JSON, then the numbers; reading executes nothing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from bwalloc.errors import BundleError

Tensors = dict[str, np.ndarray]


def tensors_to_bytes(tensors: Mapping[str, np.ndarray]) -> bytes:
    """The file that holds `tensors`; the same for the same arrays."""
    return save({name: np.asarray(tensors[name], order="C") for name in sorted(tensors)})


def tensors_from_bytes(data: bytes, where: str) -> Tensors:
    """The arrays in `data`.

    Raises:
        BundleError: The file is cut off or no safetensors, or holds numbers that are not finite.
    """
    try:
        tensors = load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        msg = f"{where}: cannot be read as safetensors ({error})."
        raise BundleError(msg) from None
    for name, values in tensors.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            msg = f"{where}: '{name}' holds numbers that are not finite."
            raise BundleError(msg)
    return tensors
