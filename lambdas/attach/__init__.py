"""Attaches the trigger to a user pool that exists, for CloudFormation."""
