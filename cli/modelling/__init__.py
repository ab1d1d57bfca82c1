"""What `rattil model` does: find recordings, listen to them with a model, measure, convert, quantise."""
