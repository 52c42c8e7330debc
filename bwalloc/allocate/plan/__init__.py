"""What is known afterwards: the plan of `clairvoyant`, and the proven bound."""
