"""The client of a gateway: what the commands that speak to one over HTTP share.

It knows the gateway by its API alone, as any other client does, and shares no code with what serves it.
"""
