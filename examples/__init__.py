"""Models to audit: broken, patched and repaired."""
