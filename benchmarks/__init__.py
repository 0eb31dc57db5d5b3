"""How long things take in clusters larger than a test can make."""
