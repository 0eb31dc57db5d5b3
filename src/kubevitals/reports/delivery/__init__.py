"""Delivers the result to servers: metrics to a Pushgateway, what has changed to a webhook, Slack or Alertmanager.

It runs once all report files are written. The URLs may contain credentials, so they must not be in any text.
"""
