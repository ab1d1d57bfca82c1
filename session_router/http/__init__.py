"""The router's HTTP API: paths, keys, bodies."""
