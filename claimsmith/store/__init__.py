"""DynamoDB input and output; everything above it sees plain rows."""
