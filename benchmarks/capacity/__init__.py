"""What 1,000, 10,000 and 100,000 reciters need, from measured costs: sums and a simulation."""
