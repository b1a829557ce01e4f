# WakaTime's own client, which was written for Python before 3.10: gives it back the names that have moved since.
import collections
import collections.abc
import sys

for name in collections.abc.__all__:
    if not hasattr(collections, name):
        setattr(collections, name, getattr(collections.abc, name))

from wakatime.main import execute

sys.exit(execute(sys.argv[1:]))
