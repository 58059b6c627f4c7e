"""What becomes of a case's record: checked, matched to its item and departments, written."""
