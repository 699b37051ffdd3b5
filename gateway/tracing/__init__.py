"""Spans of the gateway's own: made only where OpenTelemetry's SDK is installed and configured, and sent by a thread of its own."""
