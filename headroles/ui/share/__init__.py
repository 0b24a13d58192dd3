"""Links: what a page shows lives in its address, so that a copied address reopens it."""
