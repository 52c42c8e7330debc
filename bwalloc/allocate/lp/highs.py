"""A HiGHS solver that says nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache

import highspy


def quiet_solver() -> highspy.Highs:
    """A solver on one thread, without output."""
    _greet()
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    return solver


@cache
def _greet() -> None:
    """Let HiGHS 1.16 print its banner into nothing: the first solver of a process prints it."""
    with _muted_stdout():
        highspy.Highs()


@contextmanager
def _muted_stdout() -> Generator[None]:
    """Send what C code writes to descriptor 1 into nothing."""
    sys.stdout.flush()
    kept, nothing = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nothing)
