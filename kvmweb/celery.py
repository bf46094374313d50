"""The Celery application. A message is only a hint; the truth is the operation's row."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kvmweb.settings")

app = Celery("kvmweb")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    task_ignore_result=True,
    task_acks_late=False,  # lost messages are sent again by the sweep, never twice run
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,  # for ever: the workers need no broker to work
    broker_transport_options={
        "socket_timeout": 2,
        "socket_connect_timeout": 2,
        "retry_on_timeout": False,
    },
    task_publish_retry=False,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    timezone="UTC",
)
app.autodiscover_tasks()
