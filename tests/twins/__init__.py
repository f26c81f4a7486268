"""Programs that share no code with the library: plain NumPy, slow, and written from the papers."""
