"""What needs people now: the alarms, told once and shown on every way out."""
