"""Redis as gateways use it: lean connections, a cluster's map, channels and scripts."""
