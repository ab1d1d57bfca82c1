"""Who may start a session, and where: worker registry, live capacity, admission, reaper, scaling signal."""
