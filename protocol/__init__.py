"""What master, controller and worker daemon agree on; imports none of the other rooms."""
