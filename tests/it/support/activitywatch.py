"""Plays the watchers: ActivityWatch's own client sends what aw-watcher-window, -afk, -input, -web and an
editor would have sent in the last five minutes. Every text holds the marker given as the second argument."""

import sys
from datetime import datetime, timedelta, timezone

from aw_client import ActivityWatchClient
from aw_core.models import Event

port, marker = int(sys.argv[1]), sys.argv[2]
now = datetime.now(timezone.utc)
client = ActivityWatchClient("daylight-test", host="127.0.0.1", port=port, testing=True)


def ago(seconds):
    return now - timedelta(seconds=seconds)


def event(seconds, duration, **data):
    return Event(timestamp=ago(seconds), duration=timedelta(seconds=duration), data=data)


def bucket(name, kind):
    client.create_bucket(name, event_type=kind)
    return name


# Heartbeats, which the server merges: two windows, two minutes each.
window = bucket("aw-watcher-window_" + marker, "currentwindow")
for seconds in range(260, 20, -5):
    title = f"{marker} letter to my doctor" if seconds > 140 else f"{marker} job offers"
    client.heartbeat(window, event(seconds, 0, app=f"{marker}Writer", title=title), pulsetime=6)

afk = bucket("aw-watcher-afk_" + marker, "afkstatus")
for seconds in range(270, 20, -5):
    client.heartbeat(afk, event(seconds, 0, status="not-afk"), pulsetime=6)

# Inserted as whole events: counts, and a stretch in which nothing was typed.
hid = bucket("aw-watcher-input_" + marker, "os.hid.input")
client.insert_events(
    hid,
    [
        event(200, 5, presses=84, clicks=2, deltaX=10, deltaY=4, scrollX=0, scrollY=0),
        event(195, 5, presses=12, clicks=0, deltaX=0, deltaY=0, scrollX=0, scrollY=0),
        event(190, 150, presses=0, clicks=0, deltaX=0, deltaY=0, scrollX=0, scrollY=0),
    ],
)

web = bucket("aw-watcher-web_" + marker, "web.tab.current")
url = f"https://{marker}.example/private?q={marker}"
client.insert_event(web, event(100, 60, url=url, title=f"{marker} tab", audible=False, incognito=True, tabCount=3))

editor = bucket("aw-watcher-editor_" + marker, "app.editor.activity")
client.insert_event(editor, event(90, 30, file=f"/home/{marker}/a.rs", project=marker, language="rust"))

# A bucket that calls itself harmless, and a key that nobody knows.
liar = bucket("aw-watcher-harmless_" + marker, "afkstatus")
client.insert_event(liar, event(80, 30, **{"title": f"{marker} hidden title", "notes" + marker: marker}))
