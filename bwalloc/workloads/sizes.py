"""Laws of sizes that need more than one draw: what remains of a gamma beyond a threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bwalloc.errors import WorkloadError

if TYPE_CHECKING:
    from jaxtyping import Float

_LEAST_SHARE = 1e-9


def gamma_beyond(
    mean: Float[np.ndarray, " columns"], cv: float, threshold: float
) -> tuple[Float[np.ndarray, " columns"], Float[np.ndarray, " columns"], float]:
    """Share of gamma sizes beyond `threshold`, and mean and CV of their excess over it.

    The CV is that of the first column: it depends on threshold / mean only weakly (from `cv`
    towards one), so one number serves all.

    Args:
        mean: Mean size of each column.
        cv: Coefficient of variation before the cut.
        threshold: The cut, in the unit of `mean`.

    Raises:
        WorkloadError: If next to no size is beyond the threshold.
    """
    moments = np.array([_excess_moments(threshold / float(one), cv) for one in mean])
    share, first, second = moments.T
    if share.min() < _LEAST_SHARE:
        msg = (
            f"threshold {threshold:g}: next to no size of mean {float(mean.min()):g} is that "
            "large. Lower the threshold, or drop the demand."
        )
        raise WorkloadError(msg)
    mean_excess = first / share
    variance = second / share - mean_excess**2
    excess_cv = float(np.sqrt(variance[0]) / mean_excess[0])
    return share.astype(np.float32), (mean_excess * mean).astype(np.float32), excess_cv


def _excess_moments(cut: float, cv: float) -> tuple[float, float, float]:
    """Integrals of 1, x - cut and (x - cut)**2 beyond `cut`, for a gamma of mean one."""
    shape = cv**-2
    top = max(cut, 1.0) + 60.0 * max(cv, cv**2)
    # A grid in the logarithm: the density of a shape below one is steep near zero.
    logs = np.linspace(np.log(1e-9), np.log(top), 40_000)
    x = np.exp(logs)
    density = np.exp(shape * logs - shape * x + shape)
    density /= np.trapezoid(density, logs)
    excess = np.maximum(x - cut, 0.0)
    weight = density * (x > cut)
    share, first, second = (float(np.trapezoid(weight * excess**k, logs)) for k in range(3))
    return share, first, second
