"""The city platform: cases and feedback in, pushes, recalls and returns out."""
