"""The commands that show what runs on the NeuronCores (SPEC T1). They read what processes publish, and disturb none."""
