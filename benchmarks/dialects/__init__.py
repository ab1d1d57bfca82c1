"""How many sessions of each dialect a whole Rattil holds, beside the peers with the same model."""
