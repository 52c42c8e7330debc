"""Measurements in a fresh process of one thread: what was imported here changes nothing there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from bwalloc.errors import BwallocError

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Threads of linear algebra are counted when NumPy is imported, so not in this process any more."""


def in_fresh_process(code: str, *given: Any, without: Sequence[str] = ()) -> Any:
    """What `code` prints last, as JSON.

    Args:
        code: statements; `given` holds the arguments as they come back from JSON.
        *given: arguments that JSON takes.
        without: packages that count as not installed there.

    Raises:
        BwallocError: It failed; the text is the last line it wrote.
    """
    hidden = "".join(f"sys.modules[{name!r}] = None\n" for name in without)
    whole = f"import json, sys\n{hidden}given = json.loads(sys.argv[1])\n{code}"
    ran = subprocess.run(
        [sys.executable, "-c", whole, json.dumps(given)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | ONE_THREAD,
    )
    if ran.returncode:
        last = (ran.stderr.strip().splitlines() or ["no message"])[-1]
        msg = f"A measurement in a process of its own failed ({last})."
        raise BwallocError(msg)
    return json.loads(ran.stdout.splitlines()[-1])
