"""How a detector's network is executed: as fast as the device allows, and saying the same."""
