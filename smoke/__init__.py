"""What can be known of Amazon Cognito only from a real account: it is deployed to, tried, and left as it was."""
