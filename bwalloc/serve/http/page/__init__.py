"""Templates, style and script of the pages; data, no code."""
