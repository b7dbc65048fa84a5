"""Measure the pipeline's speed. Nothing else imports these modules."""
