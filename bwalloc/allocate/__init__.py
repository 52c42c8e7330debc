"""From telemetry to rates: `decode`, limits, and the classical allocators."""
