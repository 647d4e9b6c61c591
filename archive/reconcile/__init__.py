"""The catalogue held against the object store: what differs, what of it can be mended, and the catalogue made anew."""
