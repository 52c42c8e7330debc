"""Kinds of values in an environment file, and the frozen section they stand in."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Positive: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Finite: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Count: TypeAlias = Annotated[int, Field(ge=1)]
Duration: TypeAlias = Annotated[float, Field(gt=0)]
"""Seconds or milliseconds; `inf` means without end."""


class Section(BaseModel):
    """A table of an environment file. `source` says where its numbers come from."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False)

    source: str = ""
