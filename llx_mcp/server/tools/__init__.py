"""What a model calls: one file a tool, and the views that they answer."""
