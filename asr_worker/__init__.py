"""The decoder: takes segments of many sessions, runs them as one batch, commits each result once."""
