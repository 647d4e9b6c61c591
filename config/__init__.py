"""Settings, clock and logging: what every part of Tyndau shares and nothing else."""
