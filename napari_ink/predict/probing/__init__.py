"""The probe: whether a stack fits a model, and which direction and window separate ink best."""
