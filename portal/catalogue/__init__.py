"""What people can ask for: flavors and images, and what each is for."""
