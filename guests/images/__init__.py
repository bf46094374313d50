"""Images to make guests of, and the seeds that tell a new guest who it is."""
