"""Whether scores of reward models predict anything: policies, best-of-N, and the effect of style."""
