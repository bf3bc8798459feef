"""What we sell: products and plans."""
