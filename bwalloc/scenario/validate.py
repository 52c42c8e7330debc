"""Errors of the models, rewritten: which key, what it held, what was expected, what to do."""

from __future__ import annotations

import types
import typing
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from bwalloc.errors import ScenarioError, nearest

Model = TypeVar("Model", bound=BaseModel)

UNKNOWN = "extra_forbidden"

_EXPECTED = {
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than": "a number below {lt}",
    "less_than_equal": "a number of at most {le}",
    "finite_number": "a finite number",
    "float_type": "a number",
    "float_parsing": "a number",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "a text",
    "string_too_short": "a text",
    "string_pattern_mismatch": "a text like 'mine/Branch-v1' (it matches {pattern})",
    "literal_error": "{expected}",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "list_type": "a list",
    "tuple_type": "a list",
    "too_short": "at least {min_length} in it",
    "too_long": "at most {max_length} in it",
    "value_error": "{error}",
    "assertion_error": "{error}",
    "union_tag_invalid": "one of {expected_tags}",
}


def validate(
    model: type[Model], raw: Mapping[str, Any], where: str, overridden: Collection[str] = ()
) -> Model:
    """`raw` as a `model`.

    Raises:
        ScenarioError: With one line for the first error, and the number of further ones.
    """
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        # A misspelt key is also a missing one: say the misspelling first.
        details = sorted(error.errors(include_url=False), key=lambda each: each["type"] != UNKNOWN)
        texts = [_sentence(model, detail, where, overridden) for detail in details]
    more = f" ({len(texts) - 1} more after this one.)" if len(texts) > 1 else ""
    raise ScenarioError(texts[0] + more)


def _sentence(
    model: type[BaseModel], error: Mapping[str, Any], where: str, overridden: Collection[str]
) -> str:
    path, known, kinds = _walk(model, error["loc"])
    if error["type"].startswith("union_tag"):
        path.append("class")
    key = ".".join(path)
    place = f"{where}, {key or 'top level'}"
    if key in overridden:
        place += " (an override)"
    if error["type"] == UNKNOWN:
        return f"{place}: is no known key. {nearest(path[-1], known).replace('est:', 'est key:')}"
    if error["type"] in ("missing", "union_tag_not_found"):
        options = ", ".join(repr(each) for each in _options(kinds))
        return f"{place}: is missing; add this key{options and f': one of {options}'}."
    return _mismatch(error, place)


def _mismatch(error: Mapping[str, Any], place: str) -> str:
    context = dict(error.get("ctx", {}))
    pattern = _EXPECTED.get(error["type"])
    expected = pattern.format(**context) if pattern else error["msg"]
    value = context["tag"] if error["type"] == "union_tag_invalid" else error["input"]
    shown = f"a table of {len(value)} keys" if isinstance(value, Mapping) else repr(value)
    text = f"{place}: got {shown}, expected {expected}."
    if error["type"] in ("union_tag_invalid", "literal_error") and isinstance(value, str):
        options = context.get("expected_tags") or context.get("expected", "")
        names = [part.strip(" '") for part in options.replace(" or ", ",").split(",")]
        text += f" {nearest(value, names)}"
    return text


def _walk(model: type[BaseModel], loc: Sequence[Any]) -> tuple[list[str], list[str], list[Any]]:
    """The keys of `loc` as the file spells them (no union tags), peers and types of the last."""
    path: list[str] = []
    here: list[Any] = [model]
    known: list[str] = []
    for step in loc:
        models = [each for each in here if isinstance(each, type) and issubclass(each, BaseModel)]
        tagged = [each for each in models if step in _tags(each)]
        if len(models) > 1 and tagged:
            here = tagged
            continue
        if models:
            known = sorted(key for each in models for key in keys_of(each))
            here = [kind for each in models for kind in _field_kinds(each, step)]
        else:
            here = [kind for each in here for kind in _parts(each)]
        path.append(str(step))
    return path, known, here


def _options(kinds: Sequence[Any]) -> list[Any]:
    """What a key of these types may hold if that can be listed: literals, tags of a union."""
    literals = [each for each in kinds if typing.get_origin(each) is typing.Literal]
    models = [each for each in kinds if isinstance(each, type) and issubclass(each, BaseModel)]
    said = [option for each in literals for option in typing.get_args(each)]
    return said or [tag for each in models for tag in _tags(each)]


def keys_of(model: type[BaseModel]) -> list[str]:
    """Keys of a section as a file spells them."""
    return [info.alias or name for name, info in model.model_fields.items()]


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    field = model.model_fields.get("traffic_class")
    return typing.get_args(field.annotation) if field else ()


def _field_kinds(model: type[BaseModel], step: Any) -> list[Any]:
    for name, info in model.model_fields.items():
        if step in (name, info.alias):
            return _flat(info.annotation)
    return []


def _parts(annotation: Any) -> list[Any]:
    arguments = typing.get_args(annotation)
    return _flat(arguments[-1]) if arguments else []


def _flat(annotation: Any) -> list[Any]:
    """The alternatives of an annotation, unions and `Annotated` opened."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _flat(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return [kind for part in typing.get_args(annotation) for kind in _flat(part)]
    return [annotation]
