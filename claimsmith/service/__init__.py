"""The use cases: what the functions and the command line do."""
