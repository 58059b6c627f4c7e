"""`python -m tests.faults`: every row of the faults to survive, and the mutants that prove the rows bite."""

import sys

from tests.faults.conducting import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
