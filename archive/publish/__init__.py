"""Access copies: what people watch and hear, made from the evidence and named by what it came from."""
