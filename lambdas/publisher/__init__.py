"""From the stream of the table to the policy in force and the audit."""
