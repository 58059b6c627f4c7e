"""Stops the PostgreSQL of a data folder whose owner was killed.

Run as ``python -m adapters.stack.last_will DATA`` by the launcher that outlives the owner.
"""

import sys
from pathlib import Path

from adapters.stack import postmaster


def main(data: Path) -> int:
    """0; a postmaster that is gone already is as good as one that stopped."""
    left = postmaster.find_postmaster(data)
    if left is not None:
        postmaster.stop(left, data, "fast", patience_s=10.0)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
