"""An order saga in real processes that talk over HTTP, gRPC and Kafka."""
