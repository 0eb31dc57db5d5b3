"""What checks are made of: findings with their evidence, and the declaration that makes a test function a check.

It must not know any cause: what is wrong, and when, is for `facts` and the checks to say.
"""
