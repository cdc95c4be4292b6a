"""Permissions on notifications."""

from __future__ import annotations

from flagstone.sdk import Permission

OWN = "notifications.own.read"
DELIVERIES = "notifications.delivery.read"
RETRY = "notifications.delivery.retry"

PERMISSIONS = (
    Permission(OWN, "See one's own notifications and mark them as read", "viewer"),
    Permission(DELIVERIES, "See channels and deliveries, with the addresses they go to", "maintainer"),
    Permission(RETRY, "Try dead deliveries again, and try a channel", "maintainer"),
)
