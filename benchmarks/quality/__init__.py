"""Quality of detectors on several data sets, over several draws of the training pictures."""
