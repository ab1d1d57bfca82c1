"""May this session start: the overflow policy, the waiting room, and what takes a session through them."""
