"""State in, plan out."""
