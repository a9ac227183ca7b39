"""The gRPC contract of orders, and the code that ``python -m demo.protos.generate`` made of it."""
