"""Rules that decide by a linear programme."""
