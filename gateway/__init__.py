"""The edge: sockets and HTTP in, word-by-word feedback out. Stateless; any gateway serves any session."""
