"""A guest's hardware: changed now or at its next start, compared, put back."""
