"""How each operation is carried out: its attempts, and what is particular about them."""
