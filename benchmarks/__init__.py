"""Measurements of speed, memory and quality beside other programs. Tests measure neither speed nor memory."""

from app.environment import prepare_process

prepare_process()  # before torch is imported, as in the program
