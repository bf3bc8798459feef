"""Where files are kept: a folder of this machine, or a service that speaks S3 (PAR-3)."""
