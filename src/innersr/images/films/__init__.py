"""Films: videos and animations, frame by frame in and out."""
