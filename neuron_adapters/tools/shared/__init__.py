"""What several commands share: text for terminals, the emulated devices, samples of the running processes."""
