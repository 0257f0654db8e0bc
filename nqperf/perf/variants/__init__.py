"""The variants: the table of rows, a user's own, and what profiles and recipes say of them."""
