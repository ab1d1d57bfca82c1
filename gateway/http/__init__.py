"""HTTP endpoints: verify, verses, health, metrics."""
