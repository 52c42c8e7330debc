"""Opening topology files, plain or gzipped, with errors that name the file."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from bwalloc.errors import TopologyError


def read_text(path: Path) -> str:
    """The text of a file, unpacked if its name ends in `.gz`."""
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    except FileNotFoundError:
        msg = f"{path}: there is no such file."
        raise TopologyError(msg) from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read ({error})."
        raise TopologyError(msg) from error


def stem_of(path: Path) -> str:
    """File name without its endings."""
    return path.name.split(".")[0]
