"""What is off in this installation, and what to do about it."""
