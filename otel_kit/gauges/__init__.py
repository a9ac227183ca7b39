"""What is watched rather than crossed: queues, and whatever else has a state."""
