"""Who speaks when in a whole recording: voices in one channel are told apart."""
