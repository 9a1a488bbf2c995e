"""The CDK app: what is deployed, with which settings, and how the functions' assets are built."""
