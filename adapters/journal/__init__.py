"""The journal of what left this host, kept outside the database that a restore takes back."""
