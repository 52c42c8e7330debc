"""The stall of groups in plans and bounds."""
