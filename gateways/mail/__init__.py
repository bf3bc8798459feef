"""Mail by SMTP, and the sandbox's mailbox."""
