"""The Starlette application: endpoints, sign-in pages, inbound webhooks and health."""
