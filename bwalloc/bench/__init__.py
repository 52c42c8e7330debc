"""Comparisons, statistics, reports and speed: everything a published number comes from."""

from bwalloc.bench.compare import compare

__all__ = ["compare"]
