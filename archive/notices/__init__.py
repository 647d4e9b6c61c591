"""Notices to people: what they say, who carries them, when they go out."""
