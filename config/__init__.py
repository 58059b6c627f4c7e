"""What differs from city to city and from machine to machine."""
