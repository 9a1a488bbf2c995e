"""What lint looks for: a module a concern, each a function from a policy to findings."""
