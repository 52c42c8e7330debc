"""Learning: the policy network, gradients through the simulator, SB3 policies, export."""
