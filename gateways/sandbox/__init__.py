"""The sandbox gateway: no network and no money, with a pay page of our own (GW-3)."""
