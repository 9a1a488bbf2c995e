"""Decides what goes into an Amazon Cognito token, and checks it afterwards."""
