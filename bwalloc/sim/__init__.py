"""The simulator: physics and money of one network under one allocator; it knows no RL."""
