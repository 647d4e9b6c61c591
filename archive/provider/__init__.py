"""Signing in at a provider (OpenID Connect). Data flows door → client → tokens → said → entrance."""
