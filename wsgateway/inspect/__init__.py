"""A look at what gateways keep in Redis and Kafka: changes nothing, and starts nothing."""
