"""What a record is: plain dataclasses and pure functions on the standard library alone."""
