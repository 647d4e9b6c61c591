"""Builds the web pages while the wheel is built."""

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WebBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Placeholder until the pages are here."""
