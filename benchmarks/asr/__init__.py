"""Segments per second of one model on the same cores: Rattil against the usual ways."""
