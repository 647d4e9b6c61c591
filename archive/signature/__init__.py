"""Signing in by an electronic signature. Data flows cms (bytes) → own or external (does it hold) → entrance (whose)."""
