"""Orders under caps: prices, bills, approvals; no order gets past them, whoever wants it."""
