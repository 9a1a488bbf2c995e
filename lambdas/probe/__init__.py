"""Signs a synthetic user in and looks at the claims."""
