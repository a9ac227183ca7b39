"""Orders: takes orders over gRPC, and conducts the saga that fulfils them over Kafka."""
