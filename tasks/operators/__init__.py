"""What a named person may ask for: accounts, reruns, releases, decisions."""
