"""Takes in what students hand in: any files become a sound notebook, or a reason."""
