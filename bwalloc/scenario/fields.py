"""Kinds of values in an environment file, and the frozen section they stand in."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _no_text(value: Any) -> Any:
    """Refuse what pydantic would turn into a number: "3" and true are slips of the writer."""
    if isinstance(value, bool | str):
        msg = "a number"
        raise ValueError(msg)
    return value


def _names(value: Any) -> Any:
    """Refuse what is neither a text nor a list of texts in one message, not in one per kind."""
    parts = cast("list[Any]", value) if isinstance(value, list) else [value]
    if not parts or not all(isinstance(part, str) for part in parts):
        msg = "a name, a pattern of names, or a list of them"
        raise ValueError(msg)
    return value


NO_TEXT = BeforeValidator(_no_text)
"""Stands last in an annotation, so that it runs first."""

Positive: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False), NO_TEXT]
Amount: TypeAlias = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False), NO_TEXT]
"""How much is asked for; beyond the limit the draws would overflow."""
NonNegative: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False), NO_TEXT]
Finite: TypeAlias = Annotated[float, Field(allow_inf_nan=False), NO_TEXT]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), NO_TEXT]
Count: TypeAlias = Annotated[int, Field(ge=1), NO_TEXT]
Duration: TypeAlias = Annotated[float, Field(gt=0), NO_TEXT]
"""Seconds or milliseconds; `inf` means without end."""
Names: TypeAlias = Annotated[str | list[str], BeforeValidator(_names)]
"""A name, a pattern of names, or several of them."""
LATER = "added later"
"""Marks, in an annotation, a field that came after digests were published: at its default it is
left out of the digest, so that files which do not use it keep their worlds and their plans."""


class Section(BaseModel):
    """A table of an environment file. `source` says where its numbers come from."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False)

    source: str = ""
