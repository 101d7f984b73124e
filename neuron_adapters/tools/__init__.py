"""The commands, a folder each (SPEC T1). They read what processes publish, or files, and disturb no process."""
