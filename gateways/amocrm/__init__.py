"""amoCRM and Kommo: OAuth, accounts and users, uninstall hooks, one-time tokens of widgets (INS-2, INS-4, ACC-7)."""
