"""Reading ISIC tables and images, removing duplicates, splitting by patient."""
