"""ClamAV, the antivirus daemon, asked by its INSTREAM command (PAR-3)."""
