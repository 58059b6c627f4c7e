"""What Prefect's flows do: steps as its tasks, who asked, how a run ends."""
