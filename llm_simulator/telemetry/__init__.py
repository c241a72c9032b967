"""What is said about calls: metrics, the journal of recent calls, log lines. Never a prompt, a body or a secret."""
