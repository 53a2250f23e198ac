"""The API as a document: `/openapi.json`, made from the routes, and `/docs`, a page that shows it."""
