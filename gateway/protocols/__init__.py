"""One file per wire dialect; each only translates between frames and the session core."""
