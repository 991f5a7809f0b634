"""Side-by-side measurements: speed and memory never come from tests."""

from app.environment import prepare_process

prepare_process()  # before torch is imported, as the program does
