"""Rules that answer what was just measured, or a record, without a programme."""
