"""A watcher as aw-watcher-window is one, by ActivityWatch's own client; and two looks from outside.

    watcher.py PORT SHIFT watch FILE [title]   heartbeats until it is ended; its process id goes into FILE
    watcher.py PORT SHIFT inject               one event that nobody's watcher should have recorded
    watcher.py PORT SHIFT count                prints how many events with a title there are

SHIFT is how many seconds the test's clock is behind the machine's."""

import os
import sys
import time
from datetime import datetime, timedelta, timezone

from aw_client import ActivityWatchClient
from aw_core.models import Event

port, shift, what = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
bucket = "aw-watcher-window_test"
# One of a name runs at a time.
client = ActivityWatchClient(f"daylight-{what}", host="127.0.0.1", port=port, testing=True)


def now():
    return datetime.now(timezone.utc) - timedelta(seconds=shift)


if what == "watch":
    with open(sys.argv[4], "a") as file:
        file.write(f"{os.getpid()}\n")
    title = sys.argv[5] if len(sys.argv) > 5 else "excluded"
    client.create_bucket(bucket, event_type="currentwindow")
    while True:
        client.heartbeat(bucket, Event(timestamp=now(), data={"app": "Writer", "title": title}), pulsetime=5)
        time.sleep(0.5)
elif what == "inject":
    bucket = "aw-watcher-window_other"
    client.create_bucket(bucket, event_type="currentwindow")
    client.insert_event(bucket, Event(timestamp=now(), duration=1, data={"app": "Writer", "title": "a secret letter"}))
else:
    events = client.get_events(bucket, limit=-1) if bucket in client.get_buckets() else []
    print(sum(event.data["title"] != "excluded" for event in events))
