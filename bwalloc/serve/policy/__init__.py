"""A policy at work: bound to a network, on a runtime, in a thread that may be left behind."""
