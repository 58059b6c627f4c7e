"""What comes in from outside by itself: delivery receipts."""
