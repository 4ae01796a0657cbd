"""What OpenRouter says on the wire. Pure: no await, no clock, no chance, no environment."""
