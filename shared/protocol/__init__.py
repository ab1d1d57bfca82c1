"""Typed, versioned messages: what travels on the bus and what clients see."""
