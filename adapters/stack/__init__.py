"""The programs around: started together, watched, and none left behind."""
