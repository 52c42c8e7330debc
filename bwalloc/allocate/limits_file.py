"""Limits from a TOML file: its keys are the fields of `Limits`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from bwalloc.allocate.limits import Limits
from bwalloc.errors import LimitsError, ScenarioError
from bwalloc.files import read_toml
from bwalloc.scenario.fields import NO_TEXT, NonNegative, Section
from bwalloc.scenario.validate import validate

Rates: TypeAlias = dict[str, NonNegative]
Bound: TypeAlias = Annotated[float, Field(ge=0), NO_TEXT]
"""`inf` sets no limit."""
Factor: TypeAlias = Annotated[float, Field(ge=1, allow_inf_nan=False), NO_TEXT]
MOST_BYTES = 16 * 2**20


class LimitsFile(Section):
    """A file of limits; what it leaves out has the default of `Limits`."""

    version: Literal[1] = Field(1, alias="schema")
    floors_gbps: Rates = Field(default_factory=dict[str, float])
    tenant_gbps: Rates = Field(default_factory=dict[str, float])
    static_gbps: Rates = Field(default_factory=dict[str, float])
    largest_step_gbps: Bound | None = None
    least_change: Annotated[float, Field(ge=0, lt=1), NO_TEXT] | None = None
    max_usd_per_h: Bound | None = None
    max_usd_per_month: Bound | None = None
    max_orders_per_h: Bound | None = None
    approval_above_usd_per_h: Bound | None = None
    approval_waits_s: Bound | None = None
    decide_within_s: Bound | None = None
    stale_after_s: Bound | None = None
    future_s: Bound | None = None
    last_good_s: Bound | None = None
    capacity_up_to: Factor | None = None
    offered_up_to: Factor | None = None


def read_limits(path: Path | str) -> Limits:
    """The limits in a file.

    Raises:
        LimitsError: It cannot be read, is no TOML, or has a key or value that makes no limit; names
            the file and the key.
    """
    file = Path(path)
    raw = read_toml(file, MOST_BYTES, "a TOML file of limits", LimitsError)
    try:
        read = validate(LimitsFile, raw, str(file))
        given = read.model_dump(exclude_none=True, exclude={"version", "source"})
        return Limits(**given)
    except (ScenarioError, LimitsError) as error:
        text = str(error)
        raise LimitsError(text if text.startswith(str(file)) else f"{file}: {text}") from None
