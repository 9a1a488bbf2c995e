"""The CDK app: which stacks are deployed, and with which settings."""
