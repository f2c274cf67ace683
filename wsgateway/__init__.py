"""A distributed WebSocket gateway. See README.md."""
