"""The bank: someone else's HTTP service, which can be slow, down, or say no."""
