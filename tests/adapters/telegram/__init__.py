"""Telegram, from raw update to sent message."""
