"""What is needed to run the page elsewhere than in a clone."""
