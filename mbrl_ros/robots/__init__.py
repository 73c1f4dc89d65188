"""Facts about robots: a robot is a file in config/robots/."""
