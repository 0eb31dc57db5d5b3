"""What checks consist of: findings with their evidence, and the decorator that makes a test function a check.

It must not contain anything about a particular cause: that belongs to `facts` and to the checks.
"""
