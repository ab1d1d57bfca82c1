"""How many live reciters a whole Rattil serves on this machine, beside the peers."""
