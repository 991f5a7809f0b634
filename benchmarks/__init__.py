"""Side-by-side measurements: speed and memory never come from tests."""
