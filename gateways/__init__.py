"""Clients and emulators of outside services, one folder a service."""
