"""Engine adapters, one file per technology."""
