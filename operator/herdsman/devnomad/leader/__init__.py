"""What a leader does beside answering: it hands out evaluations, watches deployments and drains, launches, collects."""
