"""A bot for bots_test.go, with the settings that grpcio has by itself. It answers "wait N" after N seconds with ANSWER,
and "busy N" likewise, but computes all the time."""

import asyncio
import concurrent.futures
import re
import sys
import time

import grpc

ANSWER = bytes.fromhex(sys.argv[2])  # of ReplyResponse


def work(request):
    kind, seconds = re.search(rb"(wait|busy) (\d+)", request).groups()
    print(f"got {kind.decode()} {seconds.decode()}", flush=True)
    return kind == b"busy", int(seconds)


def compute(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def reply(request, context):
    busy, seconds = work(request)
    (compute if busy else time.sleep)(seconds)
    return ANSWER


async def reply_async(request, context):
    busy, seconds = work(request)
    if busy:
        compute(seconds)
    else:
        await asyncio.sleep(seconds)
    return ANSWER


def services(handler):
    handlers = {"Reply": grpc.unary_unary_rpc_method_handler(handler)}
    return (grpc.method_handlers_generic_handler("replier.v1.ReplierService", handlers),)


def begin(server, handler):
    server.add_generic_rpc_handlers(services(handler))
    print(f"listening on 127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}", flush=True)


async def serve_async():
    server = grpc.aio.server()
    begin(server, reply_async)
    await server.start()
    await server.wait_for_termination()


if sys.argv[1] == "asyncio":
    asyncio.run(serve_async())
else:
    server = grpc.server(concurrent.futures.ThreadPoolExecutor())
    begin(server, reply)
    server.start()
    server.wait_for_termination()
