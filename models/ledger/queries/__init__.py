"""Named queries, one module a subject. None commits; none is called in a loop."""
