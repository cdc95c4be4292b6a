"""Run with: python -m unittest"""

from __future__ import annotations

import html
import json
import os
import tempfile
import threading
import unittest
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import app

app.QUIET = True


class ServiceTest(unittest.TestCase):
    """Speaks to a real server on a free port."""

    def setUp(self) -> None:
        self.server = app.Server(("127.0.0.1", 0), app.Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def tearDown(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def get(self, path: str) -> str:
        with urlopen(self.url + path, timeout=5) as response:
            return str(response.read().decode())

    def test_the_front_page_shows_the_greeting(self) -> None:
        self.assertIn(html.escape(app.GREETING), self.get("/"))

    def test_hello_greets_by_name(self) -> None:
        self.assertEqual(json.loads(self.get("/api/hello?name=Ada"))["name"], "Ada")

    def test_visits_are_counted_once_there_is_a_database(self) -> None:
        self.assertEqual(json.loads(self.get("/api/visits")), {"visits": None})
        with tempfile.TemporaryDirectory() as folder:
            os.environ["DATABASE_PATH"] = str(Path(folder) / "data.db")
            try:
                self.assertEqual([json.loads(self.get("/api/visits"))["visits"] for _ in range(2)], [1, 2])
            finally:
                del os.environ["DATABASE_PATH"]

    def test_it_says_that_it_is_healthy(self) -> None:
        self.assertEqual(json.loads(self.get("/healthz")), {"status": "ok"})

    def test_it_says_which_version_runs(self) -> None:
        self.assertEqual(json.loads(self.get("/version"))["name"], app.NAME)

    def test_an_unknown_path_is_not_found(self) -> None:
        with self.assertRaises(HTTPError) as caught:
            self.get("/nope")
        self.assertEqual(caught.exception.code, 404)
        caught.exception.close()


if __name__ == "__main__":
    unittest.main()
