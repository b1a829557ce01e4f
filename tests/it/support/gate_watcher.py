"""A watcher as aw-watcher-window is one, with the queue of ActivityWatch's own client and its log.

    gate_watcher.py PORT SHIFT beat SECONDS TITLE     queued heartbeats for so long, then waits until the queue is empty
    gate_watcher.py PORT SHIFT late SECONDS TITLE     an event of so many seconds ago, and one that reaches from there to now
    gate_watcher.py PORT SHIFT waiting                prints how many requests wait in the queue

SHIFT is how many seconds the test's clock is behind the machine's."""

import sys
import time
from datetime import datetime, timedelta, timezone

from aw_client import ActivityWatchClient
from aw_core.log import setup_logging
from aw_core.models import Event

port, shift, what = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
setup_logging("daylight-gate", testing=True, verbose=True, log_stderr=True, log_file=True)
bucket = "aw-watcher-window_pc1"
client = ActivityWatchClient("daylight-gate", host="127.0.0.1", port=port, testing=True)
queue = client.request_queue._persistqueue


def now():
    return datetime.now(timezone.utc) - timedelta(seconds=shift)


def empty():
    return queue.qsize() == 0 and client.request_queue._current is None


client.wait_for_start()
if what == "beat":
    seconds, title = float(sys.argv[4]), sys.argv[5]
    client.create_bucket(bucket, event_type="currentwindow", queued=True)
    with client:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            event = Event(timestamp=now(), data={"app": "Writer", "title": title})
            client.heartbeat(bucket, event, pulsetime=5, queued=True, commit_interval=0.5)
            time.sleep(0.1)
        deadline = time.monotonic() + 15
        while not empty() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert empty(), "the queue isn't emptied"
elif what == "late":
    seconds, title = float(sys.argv[4]), sys.argv[5]
    data = {"app": "Writer", "title": title}
    then = now() - timedelta(seconds=seconds)
    client.create_bucket(bucket, event_type="currentwindow")
    client.insert_event(bucket, Event(timestamp=then, duration=1, data=data))
    client.insert_events(bucket, [Event(timestamp=then, duration=seconds, data=data)] * 2)
    client.heartbeat(bucket, Event(timestamp=then, data=data), pulsetime=100000)
    client.heartbeat(bucket, Event(timestamp=then, duration=seconds, data=data), pulsetime=100000)
else:
    print(queue.qsize())
