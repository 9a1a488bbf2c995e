"""CDK constructs of Claimsmith: claims for user pools, verification for APIs, alarms and policies for people."""
