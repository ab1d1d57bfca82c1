"""Segments per second through Redis: push, claim, commit and delivery, with the product's own bus."""
