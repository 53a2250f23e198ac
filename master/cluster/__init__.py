"""What the cluster master decides: pure, events in and effects out."""
