"""The published contract: `openapi.json`, and whether a change of it breaks clients."""
