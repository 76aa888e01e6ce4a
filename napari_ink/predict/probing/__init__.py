"""The probe: does a stack fit a model, and which direction and window separate best."""
