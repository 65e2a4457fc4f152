"""A Flask application that is run by the manager and knows nothing of it."""

import os
import time

from flask import Flask, jsonify

STARTED = time.monotonic()

app = Flask(__name__)


@app.get("/")
def hello():
    return f"hello from Python, process {os.getpid()}\n"


@app.get("/health")
def health():
    return jsonify(status="ok", pid=os.getpid(), uptime_seconds=round(time.monotonic() - STARTED, 3))


if __name__ == "__main__":
    # Flask's own server; for many users put another in front, as
    # command: [-m, gunicorn, "app:app"].
    app.run(host="127.0.0.1", port=int(os.environ.get("PORT", "18081")))
