"""After a restore from a backup: senders stay locked until the outside was looked at."""
