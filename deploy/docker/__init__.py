"""What the images are built from."""
