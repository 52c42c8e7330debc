"""Telemetry taken in: is it of now, can it be true, and what is known after it."""
