"""Simulators of the platform, the credit system and the SMS gateway.

They share no code with the clients: standard library and a web server only. Start one with
`python -m adapters.sandbox platform|credit|sms`.
"""
