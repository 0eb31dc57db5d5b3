"""Loads the plugin when pytest runs from a clone."""

pytest_plugins = ["kubevitals.plugin.hooks"]
