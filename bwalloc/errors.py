"""The tree of errors.

BwallocError
├── UnknownNameError      a name that is in no catalogue, with the closest one
├── ScenarioError         an environment file that is broken or contradicts itself
├── TopologyError         a topology that cannot be read or does not hang together
├── WorkloadError         a workload whose parameters make no sense
├── TraceError            a trace that is malformed, truncated or empty
├── TelemetryError        telemetry that does not fit the network it is about
├── DecisionError         a decision with wrong shapes, names or numbers
├── RecipeError           a training recipe that is broken, or a run folder that holds another
├── BundleError           an exported policy with a part missing, changed, or not allowed
├── ActionError           an action with a wrong shape, or numbers that are not finite
├── InfeasibleError       a decision that breaks a limit
├── LimitsError           limits that make no sense, or name what the network has not
├── ServiceError          a sidecar that cannot listen, or must not as it was asked to
├── PlaneError            a data plane that cannot be read or programmed, or is not ours
└── SolverError           a linear programme that HiGHS did not solve
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class BwallocError(Exception):
    """Base of every error this library raises on purpose; its text is meant for people."""


class UnknownNameError(BwallocError, LookupError):
    """Raised when a name is in no catalogue; the text names the closest one."""


class ScenarioError(BwallocError, ValueError):
    """Raised when an environment file is broken, or inconsistent with itself."""


class TopologyError(BwallocError, ValueError):
    """Raised when a topology cannot be read, or a demand cannot be routed on it."""


class WorkloadError(BwallocError, ValueError):
    """Raised when the parameters of a workload make no sense."""


class TraceError(BwallocError, ValueError):
    """Raised when a trace is malformed, truncated or empty; names file, line and column."""


class TelemetryError(BwallocError):
    """Raised when telemetry does not fit the network it is about."""


class DecisionError(BwallocError):
    """Raised when a decision has wrong shapes, unknown names or numbers that are not finite."""


class RecipeError(BwallocError, ValueError):
    """Raised when a training recipe is broken, or a run folder holds another run."""


class BundleError(BwallocError):
    """Raised when a bundle is refused; names the part and what is wrong with it."""


class ActionError(BwallocError, ValueError):
    """Raised when an action does not fit the action space or holds numbers that are not finite."""


class InfeasibleError(BwallocError, ValueError):
    """Raised when a decision breaks a limit of the network it was made for."""


class ServiceError(BwallocError):
    """Raised when a sidecar cannot listen where it was told to, or must not without protection."""


class PlaneError(BwallocError):
    """Raised when a data plane cannot be read or programmed, or its description makes no sense."""


class LimitsError(BwallocError, ValueError):
    """Raised when limits make no sense, or are about demands that a network does not have."""


class SolverError(BwallocError, RuntimeError):
    """Raised when HiGHS did not solve a linear programme to optimality."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The closest of `known` as a sentence ("Nearest: 'x'."), or the first few of them."""
    names = sorted(set(known))
    close = get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"Nearest: '{close[0]}'."
    return f"Known: {', '.join(names[:12])}." if names else "There are none."


def unknown_name(kind: str, name: str, known: Iterable[str], remedy: str) -> UnknownNameError:
    """An `UnknownNameError` that says what was asked for, the closest name, and what to do."""
    return UnknownNameError(f"No {kind} called '{name}'. {nearest(name, known)} {remedy}")
