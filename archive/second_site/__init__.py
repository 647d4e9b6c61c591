"""A copy of all evidence at another site: made after the receipt, checked by itself, and a way back."""
