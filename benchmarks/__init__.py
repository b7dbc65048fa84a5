"""What the pipeline's speed is measured by; nothing else imports these modules."""
