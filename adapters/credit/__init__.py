"""The credit system: look-ups, reports (双公示), credit records."""
