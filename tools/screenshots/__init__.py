"""Pictures of every page, taken by walking through them."""
