"""What is counted, reported and written down: status, counters, the audit log."""
