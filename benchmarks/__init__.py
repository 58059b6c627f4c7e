"""What the loop costs, beside the bare limit of the same machine: ``python -m benchmarks``."""
