"""The words that people read: amounts, times, durations, statuses, how criteria stand."""
