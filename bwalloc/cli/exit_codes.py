"""What a command that did not do all it was asked returns."""

BAD_INPUT = 2
INTERRUPTED = 130
