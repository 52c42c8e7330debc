"""What controllers see, as arrays, and the history they keep: ONE code for training and serving."""

from bwalloc.observe.feature import TABLES, Feature, tables_of
from bwalloc.observe.features import Memory, Observer
from bwalloc.observe.history import History, measured, no_history
from bwalloc.observe.load_log import LoadLog
from bwalloc.observe.readings import Found, NameIndex, Readings, hour_of_week, read_telemetry
from bwalloc.observe.recent import Recent
from bwalloc.observe.spans import SpanObserver, SpanOutlook
from bwalloc.observe.usual import UsualDay, even_day, usual_day
from bwalloc.observe.window import Window

__all__ = [
    "TABLES",
    "Feature",
    "Found",
    "History",
    "LoadLog",
    "Memory",
    "NameIndex",
    "Observer",
    "Readings",
    "Recent",
    "SpanObserver",
    "SpanOutlook",
    "UsualDay",
    "Window",
    "even_day",
    "hour_of_week",
    "measured",
    "no_history",
    "read_telemetry",
    "tables_of",
    "usual_day",
]
