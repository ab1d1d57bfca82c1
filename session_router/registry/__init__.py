"""Who lives and who is leased: the Protocol, its form on Redis (one script per change), the refresh."""
