"""Named models with what is known of them, one set of shapes and times for each family.

Tests that solve the same shapes share a compiled program.
"""
