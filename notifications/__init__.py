"""What people are told: texts, and the channels that carry them outside the pages."""
