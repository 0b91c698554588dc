"""Tests bot.py through a gateway, with a fake WeChat at the address in WXGATE_FAKE. See docs/FAKE.md."""

import json
import os
import sys
import unittest
import urllib.request
import uuid

FAKE = (os.environ.get("WXGATE_FAKE") or sys.exit("set WXGATE_FAKE, such as http://127.0.0.1:8010")).rstrip("/")


def call(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{FAKE}/fake/v1/{path}", data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


class BotTest(unittest.TestCase):
    def setUp(self):
        call("POST", "reset")
        self.user = "o" + uuid.uuid4().hex  # a user that the bot does not know yet

    def send(self, kind, *args):
        """Sends a message, and returns the text that the user reads, or None if there is no reply."""
        answer = call("POST", "messages", {"kind": kind, "args": args, "from": self.user})
        self.assertEqual([], answer["refused"])  # WeChat accepts the answer
        return answer["reply"].get("Content")

    def test_welcome(self):
        self.assertEqual("Welcome! Send me a word or a picture.", self.send("event", "subscribe"))

    def test_counts(self):
        self.assertEqual("HELLO 世界 (message 1 of yours)", self.send("text", "hello 世界"))
        self.assertEqual("A picture (message 2 of yours): http://example.com/1.jpg", self.send("image", "http://example.com/1.jpg"))

    def test_forgets(self):
        self.send("text", "hello")
        self.assertIsNone(self.send("event", "unsubscribe"))
        self.assertEqual("HELLO (message 1 of yours)", self.send("text", "hello"))

    def test_says_nothing(self):
        self.assertIsNone(self.send("location", "23.10", "113.30"))

    def test_unknown_type(self):
        call("PUT", "faults", {"unknown_type": 1})
        self.assertIsNone(self.send("text", "hello"))

    def test_lost(self):
        call("PUT", "faults", {"lose": 0.5, "retry_early": 1, "retry_after": "10ms", "seed": 16})  # the first two attempts
        self.assertEqual("HELLO (message 1 of yours)", self.send("text", "hello"))


if __name__ == "__main__":
    unittest.main()
