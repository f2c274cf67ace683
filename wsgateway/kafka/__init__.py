"""What the Kafka router is made of: topics, publishing, reading, adoption."""
