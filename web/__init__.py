"""Who asks: pages and a JSON API over the services. No rule and no query of its own."""
