"""Learned policies: corrections of `forecast`, the network on NumPy, one decision."""
