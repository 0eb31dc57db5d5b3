"""Measures runs in clusters that are larger than a test can create."""
