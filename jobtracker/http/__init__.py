"""What holds for every endpoint: services, validation, ETags, retries, rate limits, CORS."""
