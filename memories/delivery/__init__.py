"""Files over HTTP, for the API, the pages and the admin alike."""
