"""Inventory: reserves stock and gives it back, on command; synchronous, with kafka-python."""
