"""How many workers a pool should have, and the backlog that says so."""
