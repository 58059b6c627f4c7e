"""Every case as a run in Prefect: its state, its timeline, what needs a person."""
