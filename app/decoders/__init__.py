"""Decodes uploaded pictures in processes of their own, which can be limited and killed.

Empty, so that a decoder process imports little.
"""
