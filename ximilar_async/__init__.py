"""Async SDK and bulk ingestion engine for the Ximilar Visual Search API."""
