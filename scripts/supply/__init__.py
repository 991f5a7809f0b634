"""What the images are made of: pinned requirements, their audit, and checks of the files."""
