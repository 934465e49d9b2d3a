"""What people read: amounts, times, durations, statuses, how criteria stand."""
