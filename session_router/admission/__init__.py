"""May this session start: the overflow policy, the waiting room, and what walks a session through them."""
