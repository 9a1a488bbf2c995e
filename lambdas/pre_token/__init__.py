"""The pre token generation trigger."""
