"""From the table's stream to the active policy and the audit."""
