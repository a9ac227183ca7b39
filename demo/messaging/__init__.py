"""What travels over Kafka, between whom, and what happens to a message nobody can handle."""
