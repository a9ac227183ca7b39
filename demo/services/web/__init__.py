"""The shop front: HTTP for customers, gRPC to orders, and the news of each order as it comes."""
