"""Goals for whatever speaks the Model Context Protocol: tools, resources and prompts, over stdio and HTTP."""
