"""One HTML file that shows a comparison: no script, no request, nothing but plain records."""

from bwalloc.bench.report.document import report_from_document
from bwalloc.bench.report.records import (
    AllocatorRow,
    Drawings,
    EnvReport,
    LinkLine,
    NetworkDrawing,
    Panel,
    Report,
    SitePoint,
    TimeSeries,
)
from bwalloc.bench.report.write import render_report, write_report

__all__ = [
    "AllocatorRow",
    "Drawings",
    "EnvReport",
    "LinkLine",
    "NetworkDrawing",
    "Panel",
    "Report",
    "SitePoint",
    "TimeSeries",
    "render_report",
    "report_from_document",
    "write_report",
]
