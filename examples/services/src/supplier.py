"""A service in another language: it changes a price in the database, and tells of it on a channel of Redis.

    python3 supplier.py DATABASE HOST PORT CHANNEL LARDER ID CENTS

Needs the standard library alone. Prints when it had committed, in milliseconds, and how many heard of it.
"""

import json
import socket
import sqlite3
import sys
import time

database, host, port, channel, larder, key, cents = sys.argv[1:]

connection = sqlite3.connect(database, timeout=5)
with connection:
    connection.execute(
        "UPDATE price SET cents = ?, version = version + 1 WHERE id = ?", (int(cents), key)
    )
connection.close()
at = time.time() * 1000

# After the commit: who hears of it must find the new price.
message = json.dumps({"v": 1, "larder": larder, "keys": [key]})
parts = [part.encode() for part in ("PUBLISH", channel, message)]
command = b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)
with socket.create_connection((host, int(port)), timeout=5) as redis:
    redis.sendall(command)
    reply = redis.recv(100).decode().strip()

if not reply.startswith(":"):
    sys.exit(f"Redis answered {reply}")
print(json.dumps({"at": at, "heard": int(reply[1:])}))
