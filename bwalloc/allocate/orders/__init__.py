"""Who orders which tier of a span: rules, and the load and the programme they share."""
