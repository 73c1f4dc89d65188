"""Messages <-> records: here and nowhere else. Joints are ordered by name here, once."""
