"""Ring-LWE between two parties: products with the owner's integers, and products entry by entry."""
