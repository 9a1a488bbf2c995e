"""What Cognito sends to the trigger and what it accepts: the contract."""
