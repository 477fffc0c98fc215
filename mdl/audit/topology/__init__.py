"""Which nodes of a graph expose which, whatever the encryption."""
