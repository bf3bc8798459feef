"""OpenID Connect: our side of single sign-on, and a provider for the sandbox and the tests."""
