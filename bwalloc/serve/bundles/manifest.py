"""The manifest of a bundle: what it holds, what it is for, and how it came to be."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bwalloc.allocate.policy.correction import PARTS, SPAN_PARTS
from bwalloc.allocate.policy.neural import MOST_HIDDEN, MOST_ROUNDS, Architecture
from bwalloc.errors import BundleError
from bwalloc.observe import tables_of

SCHEMA = 1
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
ONNX, WEIGHTS, GOLDEN = "policy.onnx", "weights.safetensors", "golden.safetensors"
ARCHITECTURE, RECIPE, CARD = "architecture.json", "recipe.toml", "card.md"
PARTS_OF_A_BUNDLE = (ONNX, WEIGHTS, GOLDEN, ARCHITECTURE, RECIPE, CARD)
"""Files every bundle holds besides its manifest."""
MOST_BYTES = 64 * 2**20
"""All parts of a bundle together are no larger."""
MOST_GOLDEN_BYTES, MOST_MANIFEST_BYTES, MOST_SIGNATURE_BYTES = 16 * 2**20, 2**20, 4096
MOST_PARTS = 16

Constants = dict[str, dict[str, float]]
Word = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=200)]
"""Text that is shown: nothing in it moves a terminal's cursor."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Record = TypeVar("Record", bound=_Record)


class FileEntry(_Record):
    """Hash and size of one part."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(ge=0, le=MOST_BYTES)]


class Training(_Record):
    """How the policy was made."""

    algorithm: str
    steps: int
    seconds: float
    seed: int
    command: str
    hardware: str
    commit: str | None = None
    versions: dict[str, str] = Field(default_factory=dict)


class _Told(_Record):
    """architecture.json."""

    model_config = ConfigDict(strict=True)

    hidden: Annotated[int, Field(ge=1, le=MOST_HIDDEN)]
    rounds: Annotated[int, Field(ge=0, le=MOST_ROUNDS)]
    history: bool
    spans: bool = False


class Manifest(_Record):
    """Everything a runtime must know before it opens a part.

    `environment` and `digest` name what the policy was trained on; `network` says which networks it
    fits, in this schema `any`; `features` is the hash of what it reads and answers; `tuned` holds
    the constants of the base allocator that it corrects.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    name: Word
    environment: Word
    digest: Word
    network: Literal["any"] = "any"
    features: Word
    hidden: Annotated[int, Field(ge=1, le=MOST_HIDDEN)]
    rounds: Annotated[int, Field(ge=0, le=MOST_ROUNDS)]
    history: bool
    spans: bool = False
    tuned: Constants
    training: Training
    files: Annotated[dict[str, FileEntry], Field(max_length=MOST_PARTS)]

    @property
    def architecture(self) -> Architecture:
        """The network's."""
        return Architecture(self.hidden, self.rounds, self.history, self.spans)

    def to_bytes(self) -> bytes:
        """Canonical JSON: what is hashed, signed and stored."""
        whole = self.model_dump(mode="json", by_alias=True)
        return json.dumps(whole, indent=1, sort_keys=True).encode() + b"\n"


def read_manifest(data: bytes, where: str) -> Manifest:
    """The manifest in `data`.

    Raises:
        BundleError: It is no JSON, has unknown or missing keys, or another schema.
    """
    return _read(Manifest, data, f"{where}/{MANIFEST}")


def read_architecture(data: bytes, where: str) -> Architecture:
    """What architecture.json tells.

    Raises:
        BundleError: It is no JSON, or has unknown or missing keys.
    """
    told = _read(_Told, data, where)
    return Architecture(told.hidden, told.rounds, told.history, told.spans)


def _read(kind: type[Record], data: bytes, where: str) -> Record:
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "top level"
        msg = f"{where}, {place}: {first['msg']}. Export the run again."
        raise BundleError(msg) from None


def feature_hash(*, spans: bool = False) -> str:
    """Hash of the features a policy reads and of the parts of its action; `spans` if it orders."""
    tables: dict[str, Any] = {
        kind: [[feature.name, feature.low, feature.high] for feature in table]
        for kind, table in tables_of(spans=spans).items()
    }
    tables["action"] = [part.name for part in (*PARTS, *(SPAN_PARTS if spans else ()))]
    return hashlib.sha256(json.dumps(tables, sort_keys=True).encode()).hexdigest()


def entry_of(data: bytes) -> FileEntry:
    """Hash and size of a part."""
    return FileEntry(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
