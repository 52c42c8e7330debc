"""The records a controller sees and says, and the protocol of an allocator.

Columnar: a tuple of names beside arrays, never one object per demand. One definition serves the
array form and the JSON form: `to_json`, `from_json`, `json_schema`. NaN travels as `null`.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from numbers import Real
from typing import Annotated, Any, Literal, Protocol, TypeVar

import numpy as np
from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.dataclasses import dataclass

from bwalloc.errors import DecisionError, TelemetryError

SCHEMA = 1
_CONFIG = ConfigDict(arbitrary_types_allowed=True, extra="forbid")


def _to_array(dimensions: int) -> BeforeValidator:
    def convert(value: Any) -> np.ndarray:
        is_numeric = isinstance(value, np.ndarray) and value.dtype.kind in "fiu"
        array = value.astype(np.float64) if is_numeric else _numbers(value)
        if array.ndim != dimensions and array.size == 0:
            array = array.reshape((0,) * dimensions)
        if array.ndim != dimensions:
            msg = f"expected {dimensions} dimension(s), got {array.ndim}"
            raise ValueError(msg)
        array.setflags(write=False)
        return array

    return BeforeValidator(convert)


def _numbers(value: Any) -> np.ndarray:
    array = np.array(value, dtype=object)
    for kind in {type(each) for each in array.flat} - {float, int, type(None)}:
        if kind is bool or not issubclass(kind, Real):
            msg = f"expected numbers and null in rows of one length, got a {kind.__name__}"
            raise ValueError(msg)
    try:
        return np.where(array == None, np.nan, array).astype(np.float64)  # noqa: E711 - elementwise
    except OverflowError:
        msg = "holds a number beyond what 64 bits can say"
        raise ValueError(msg) from None


def _to_list(array: np.ndarray) -> list[Any]:
    numbers = array.astype(object)
    numbers[np.isnan(array)] = None
    return numbers.tolist()


_NUMBER = {"anyOf": [{"type": "number"}, {"type": "null"}]}
Column = Annotated[
    np.ndarray,
    _to_array(1),
    PlainSerializer(_to_list),
    WithJsonSchema({"type": "array", "items": _NUMBER}),
]
"""One float per name, shape (names,)."""
Table = Annotated[
    np.ndarray,
    _to_array(2),
    PlainSerializer(_to_list),
    WithJsonSchema({"type": "array", "items": {"type": "array", "items": _NUMBER}}),
]
"""One row of floats per name, shape (names, columns)."""


def _empty_column() -> np.ndarray:
    return np.zeros(0)


def _check_columns(record: Any, error: type[TelemetryError]) -> None:
    rows = len(record.name)
    for field, value in vars(record).items():
        if isinstance(value, np.ndarray) and len(value) != rows:
            msg = f"{type(record).__name__}.{field}: {len(value)} rows for {rows} names."
            raise error(msg)
    if len(set(record.name)) != rows:
        msg = f"{type(record).__name__}.name: names must be unique."
        raise error(msg)


@dataclass(frozen=True, config=_CONFIG)
class DemandTelemetry:
    """What ingress agents measured of each demand in the interval that ended.

    `offered_gbps` is the mean over the interval, `recent_gbps` over its last three seconds,
    `peak_gbps` the highest substep; NaN where load cannot be measured. `queued_gbit[:, s]` is work
    by remaining deadline, soonest first. `declared_gbit` is due within `declared_due_s`.
    """

    name: tuple[str, ...]
    offered_gbps: Column
    recent_gbps: Column
    peak_gbps: Column
    served_gbit: Column
    expired_gbit: Column
    queued_gbit: Table
    declared_gbit: Column
    declared_due_s: Column

    @model_validator(mode="after")
    def _same_rows(self) -> DemandTelemetry:
        _check_columns(self, TelemetryError)
        return self


@dataclass(frozen=True, config=_CONFIG)
class LinkTelemetry:
    """What each directed link can carry, carried, and whether it is up."""

    name: tuple[str, ...]
    capacity_gbps: Column
    carried_gbps: Column
    is_up: tuple[bool, ...]

    @model_validator(mode="after")
    def _same_rows(self) -> LinkTelemetry:
        _check_columns(self, TelemetryError)
        return self


@dataclass(frozen=True, config=_CONFIG)
class SpanTelemetry:
    """The tier each span is at, the one on order (NaN: none), and until when it is paid.

    `paid_until_s` counts from the end of the interval.
    """

    name: tuple[str, ...] = ()
    tier_gbps: Column = Field(default_factory=_empty_column)
    pending_gbps: Column = Field(default_factory=_empty_column)
    paid_until_s: Column = Field(default_factory=_empty_column)

    @model_validator(mode="after")
    def _same_rows(self) -> SpanTelemetry:
        _check_columns(self, TelemetryError)
        return self


@dataclass(frozen=True, config=_CONFIG)
class Maintenance:
    """An announced window in which a link carries only `capacity_gbps`."""

    link: str
    start: datetime
    end: datetime
    capacity_gbps: float


@dataclass(frozen=True, config=_CONFIG)
class Telemetry:
    """Everything a real controller can measure at the end of an interval."""

    interval_end: Annotated[datetime, Field(description="Without a zone it is UTC.")]
    interval_s: Annotated[float, Field(gt=0)]
    demands: DemandTelemetry
    links: LinkTelemetry
    spans: SpanTelemetry = Field(default_factory=SpanTelemetry)
    maintenance: tuple[Maintenance, ...] = ()
    schema: Literal[1] = SCHEMA


@dataclass(frozen=True, config=_CONFIG)
class Order:
    """The total tier a span shall have."""

    span: str
    tier_gbps: Annotated[float, Field(ge=0)]


@dataclass(frozen=True, config=_CONFIG)
class Decision:
    """Rates for the coming interval, row `demands`, column tunnel, and orders of capacity."""

    id: str
    demands: tuple[str, ...]
    rates_gbps: Table
    valid_until: datetime
    source: str
    policy_version: str
    orders: tuple[Order, ...] = ()
    reasons: tuple[str, ...] = ()
    schema: Literal[1] = SCHEMA

    @model_validator(mode="after")
    def _sound(self) -> Decision:
        if self.rates_gbps.shape[0] != len(self.demands):
            msg = (
                f"Decision.rates_gbps: {self.rates_gbps.shape[0]} rows for "
                f"{len(self.demands)} demands."
            )
            raise DecisionError(msg)
        if not np.isfinite(self.rates_gbps).all() or (self.rates_gbps < 0).any():
            row = int(
                np.argmin(np.isfinite(self.rates_gbps).all(1) & (self.rates_gbps >= 0).all(1))
            )
            msg = f"Decision.rates_gbps of '{self.demands[row]}': must be finite and not negative."
            raise DecisionError(msg)
        return self


Record = TypeVar("Record", Telemetry, Decision)


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    """Made once: what makes it anew for every record leaves cycles behind where one is refused."""
    return TypeAdapter(kind)


def to_json(record: Telemetry | Decision) -> str:
    """The record as one JSON document."""
    return _adapter(type(record)).dump_json(record, indent=1).decode()


def from_json(
    kind: type[Record], text: str | bytes, *, schema_at: str = "bwalloc.control.json_schema"
) -> Record:
    """Read a record; times without a zone are UTC.

    Args:
        kind: `Telemetry` or `Decision`.
        text: one JSON document.
        schema_at: where a sender finds the schema; the error says so.

    Raises:
        TelemetryError, DecisionError: It is no such record; names the place.
    """
    error = TelemetryError if kind is Telemetry else DecisionError
    try:
        return _adapter(kind).validate_json(text)
    except ValidationError as failure:
        first = failure.errors()[0]
        inside = ".".join(str(part) for part in first["loc"])
        place = f"{kind.__name__}, {inside}" if inside else kind.__name__
        said = first["msg"].removeprefix("Value error, ")
        msg = f"{place}: {said} (see {schema_at})."
        raise error(msg) from failure


def json_schema(kind: type[Telemetry] | type[Decision]) -> dict[str, Any]:
    """The JSON schema of a record; the golden copies are in `tests/golden`."""
    return _adapter(kind).json_schema()


class Session(Protocol):
    """One running allocator; sessions own history, allocators own none."""

    def reset(self) -> None:
        """Forget all history."""
        ...

    def decide(self, telemetry: Telemetry) -> Decision:
        """The decision for the interval that begins where `telemetry` ends."""
        ...


class Allocator(Protocol):
    """Anything that turns telemetry into a decision: classical, learned or served."""

    def bind(self, network: Any) -> Session:
        """A session for this network."""
        ...
