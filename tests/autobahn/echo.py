"""An echo server that is known to be right, and, on request, wrong: what the conformance check is checked with.

    echo.py [--fault garble|vanish|number]

Prints its URL when it listens; ends when standard input does.
"""

import argparse
import asyncio
import logging
import os
import sys

# Case 9.3.1 sends a message in 65,536 fragments.
os.environ["WEBSOCKETS_MAX_FRAGMENTS"] = "100000"

from websockets.asyncio.server import serve


def handler(fault):
    async def echo(socket):
        async for message in socket:
            if fault == "garble" and isinstance(message, str):
                message = message[::-1] + "!"
            await socket.send(message)
            if fault == "vanish":
                socket.transport.abort()
            if fault == "number":
                await socket.close(3333)

    return echo


async def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fault", choices=["garble", "vanish", "number"], help="what to do wrong")
    options = parser.parse_args()
    # It is shown violations of the protocol on purpose, and tells of each at length.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    async with serve(handler(options.fault), "127.0.0.1", 0, compression=None, max_size=32 * 2**20) as server:
        port = server.sockets[0].getsockname()[1]
        print(f"ws://127.0.0.1:{port}", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
