"""Request traces that replace the drawn requests of a scenario."""

from __future__ import annotations


def with_trace(scenario, traffic_class, path, columns=None):
    raise NotImplementedError


def trace_statistics(scenario):
    return {}
