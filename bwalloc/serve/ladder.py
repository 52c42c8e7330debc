"""The ladder: where the rates of a decision come from when the policy cannot decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bwalloc.serve.policy.worker import BusyError, LateError
from bwalloc.serve.reasons import reason

if TYPE_CHECKING:
    from bwalloc.control import Order
    from bwalloc.serve.binding import Binding
    from bwalloc.serve.policy.deployment import Deployment
    from bwalloc.serve.telemetry.intake import Intake


@dataclass(frozen=True)
class Choice:
    """Rates before the guard holds them, and who proposed them.

    `is_stepped` says whether the largest step and the least change apply: an operator's word does
    not wait for them.
    """

    source: str
    rates_gbps: np.ndarray
    orders: Sequence[Order] = ()
    reasons: tuple[str, ...] = ()
    is_stepped: bool = True


def choose(
    binding: Binding,
    deployment: Deployment,
    intake: Intake,
    fault: str | None,
    left_s: float,
    now_s: float,
) -> Choice:
    """The first rung that holds.

    Good telemetry: the policy; if it fails, max-min. No good telemetry, or max-min failed too: the
    last good decision while it is young enough; then the static table.

    Args:
        binding: of the network.
        deployment: whose session has taken in the telemetry.
        intake: what is known.
        fault: why the policy cannot be asked; None if it can.
        left_s: time left for the policy.
        now_s: monotonic seconds.
    """
    reasons = [] if fault is None else [fault]
    if intake.readings is not None:
        found = None if fault else _of_policy(binding, deployment, left_s, reasons)
        if found is not None:
            return found
        try:
            rates = binding.max_min(intake.readings)
            if np.isfinite(rates).all():
                return Choice("max-min", rates, (), tuple(reasons))
            reasons.append(reason("max-min-failed", "not finite"))
        except Exception as error:
            reasons.append(reason("max-min-failed", type(error).__name__))
    good = binding.good
    if good is not None and now_s - good.made_s <= binding.times.last_good_s:
        return Choice("last-known-good", good.rates_gbps, (), tuple(reasons))
    return Choice("static", binding.static_gbps, (), tuple(reasons))


def _of_policy(
    binding: Binding, deployment: Deployment, left_s: float, reasons: list[str]
) -> Choice | None:
    """The policy's answer, or None and the reason why not."""
    try:
        answer = deployment.ask(binding.rates_gbps, left_s)
        fault = binding.guard.fault(answer.rates_gbps)
        if fault is None:
            return Choice("policy", answer.rates_gbps, answer.orders)
        reasons.append(fault)
    except LateError as error:
        reasons.append(reason("policy-late", error))
    except BusyError as error:
        reasons.append(reason("policy-busy", error))
    except Exception as error:  # whatever a policy raises
        reasons.append(reason("policy-raised", type(error).__name__))
    return None
