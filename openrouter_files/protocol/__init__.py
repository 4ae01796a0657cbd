"""What the API says on the wire: pure, without a clock, chance or environment."""
