"""A bot for wxgate. It implements ReplierService of proto/replier/v1/replier.proto."""

import argparse
import asyncio
import collections
import os
import re
import signal

import grpc
from replier.v1 import replier_pb2, replier_pb2_grpc

MARGIN = 0.5  # seconds of the caller's time that are kept for sending the answer
LONGEST = 4.0  # seconds for a caller that sets no deadline: WeChat waits 5


def say(text):
    return replier_pb2.ReplyResponse(reply={"text": {"content": text}})


def say_nothing():
    return replier_pb2.ReplyResponse()


class Bot(replier_pb2_grpc.ReplierServiceServicer):
    def __init__(self):
        self.seen = collections.Counter()  # messages by user, until the bot stops

    async def Reply(self, request, context):
        message = request.message
        user = message.from_user_name
        kind = message.WhichOneof("content")
        if kind == "text":
            return await self.text(user, message.text.content, context)
        if kind == "image":
            self.seen[user] += 1
            return say(f"A picture (message {self.seen[user]} of yours): {message.image.pic_url}")
        if kind == "event":
            return self.event(user, message.event.WhichOneof("kind"))
        return say_nothing()

    async def text(self, user, text, context):
        self.seen[user] += 1
        text = text.removeprefix("bot ")  # the rule forwards texts with this prefix
        if wait := re.fullmatch("wait ([0-9]{1,6})", text):
            return await self.wait(int(wait[1]), context)
        return say(f"{text.upper()} (message {self.seen[user]} of yours)")

    async def wait(self, seconds, context):
        """In place of slow work: a database, a language model."""
        left = context.time_remaining()
        left = LONGEST if left is None else min(left - MARGIN, LONGEST)
        try:
            await asyncio.wait_for(asyncio.sleep(seconds), left)
        except asyncio.TimeoutError:
            return say("That takes too long.")
        return say(f"I waited {seconds} s.")

    def event(self, user, kind):
        if kind == "subscribe":
            return say("Welcome! Send me a word or a picture.")
        if kind == "unsubscribe":
            self.seen.pop(user, None)  # WeChat's rule: data about the user must be deleted
        return say_nothing()


async def serve(listen):
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])  # makes a port that is in use an error
    replier_pb2_grpc.add_ReplierServiceServicer_to_server(Bot(), server)
    host, _, port = listen.rpartition(":")
    port = server.add_insecure_port(f"{host or '0.0.0.0'}:{port}")
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await server.start()
    print(f"listening on {host}:{port}", flush=True)
    await stop.wait()
    await server.stop(grace=5)  # seconds for calls in flight


if __name__ == "__main__":
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--listen", default=os.environ.get("LISTEN") or "127.0.0.1:9100", help="address; port 0 for any")
    asyncio.run(serve(flags.parse_args().listen))
