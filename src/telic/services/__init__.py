"""What all surfaces share: reading goals, actions, the meaning of errors, `/goal`, export and import."""
