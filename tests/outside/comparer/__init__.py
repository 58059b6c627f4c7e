"""The parts of the outside comparer. Standard library only; nothing of the product is imported."""
