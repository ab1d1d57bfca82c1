"""Measurements of Rattil that anyone can repeat: `rattil bench NAME [--quick] [--json FILE]`."""
