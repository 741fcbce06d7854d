"""What must hold when things break: real processes, real kills, real storms. `make torture`."""
