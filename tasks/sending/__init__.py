"""The effect protocol: lease, intent, call, record; what may leave when, and by which way."""
