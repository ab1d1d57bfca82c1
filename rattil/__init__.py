"""What other programs import of Rattil: `rattil.client`."""
