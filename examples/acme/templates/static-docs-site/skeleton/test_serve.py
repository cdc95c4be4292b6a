"""Run with: python -m unittest"""

from __future__ import annotations

import threading
import unittest
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import serve


class SiteTest(unittest.TestCase):
    """Speaks to a real server on a free port."""

    def setUp(self) -> None:
        self.server = serve.Server(("127.0.0.1", 0), serve.Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def tearDown(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def test_every_page_can_be_opened(self) -> None:
        for page in Path("site").rglob("index.html"):
            folder = page.parent.relative_to("site").as_posix()
            path = "/" if folder == "." else f"/{folder}/"
            with self.subTest(path), urlopen(self.url + path, timeout=5) as response:
                self.assertEqual(response.status, 200)

    def test_files_outside_the_site_are_not_served(self) -> None:
        for path in ("/serve.py", "/../serve.py", "/%2e%2e/serve.py"):
            with self.subTest(path), self.assertRaises(HTTPError) as caught:
                urlopen(self.url + path, timeout=5)
            self.assertEqual(caught.exception.code, 404)
            caught.exception.close()


if __name__ == "__main__":
    unittest.main()
