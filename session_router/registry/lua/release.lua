-- Give one lease back. ARGV: 5 session, 6 holder (optional). Returns 1 if there was one.
return release(ARGV[5], ARGV[6]) and 1 or 0
