"""Pictures of people who do not exist, with everything known about them."""
