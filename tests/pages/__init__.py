"""Every page, pasted from top to bottom by somebody who has just come."""
