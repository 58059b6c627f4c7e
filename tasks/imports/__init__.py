"""Files of records, brought in as if each day were today."""
