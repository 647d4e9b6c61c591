"""What a court record is, and keeping it."""
