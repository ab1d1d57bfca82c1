"""Segments per second of one model on the same cores: Rattil's batched short windows against the usual ways."""
