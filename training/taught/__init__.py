"""Models taught by another model on distorted speech: the accurate one, and the fast one after it."""
