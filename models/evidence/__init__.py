"""Evidence outside the database: signed heads, packs, and how both are verified offline."""
