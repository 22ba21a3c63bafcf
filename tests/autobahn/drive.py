"""Runs the Autobahn cases as a client against a web socket echo server, and judges what they saw.

    drive.py --archive SDIST --url ws://127.0.0.1:9001 --report FILE [--cases '1.*,6.4.1'] [--jobs 4]

Exit code 0: every chosen case passed; 1: at least one did not; 2: nothing could be run.
"""

import argparse
import asyncio
import collections
import fnmatch
import json
import pathlib
import sys
import time
import urllib.parse

from autobahn.asyncio.websocket import WebSocketClientFactory, WebSocketClientProtocol

from suite import load, octets

# A case that cannot pass gives up after a second or so, which is short on a busy machine. Waits
# before giving up are made longer by this factor; waits between two sends are the case's own.
PATIENCE = 4

# No case of a working server needs more; the suite's own bound would be a quarter of an hour.
CASE_SECONDS_MAX = 120

# A server that is broken through and through makes every case wait: enough is enough.
FAILURES_MAX = 20

# "Informational" is the suite's word for a case in which every outcome is allowed.
BEHAVIOUR_GOOD = {"OK", "NON-STRICT", "INFORMATIONAL"}
CLOSE_GOOD = {"OK", "INFORMATIONAL"}


class Peer(WebSocketClientProtocol):
    """One case's connection: what a case calls `self.p`. Speaks octets outside, Latin-1 inside."""

    def __init__(self, kind, done):
        super().__init__()
        self.connectionWasOpen = False
        self.createWirelog = False
        self.txFrameStats = collections.Counter()
        self._kind = kind
        self._case = None
        self._done = done
        self._timers = []

    # What the case is told.

    def connection_made(self, transport):
        super().connection_made(transport)
        self._case = self._kind(self)

    def onOpen(self):
        self.connectionWasOpen = True
        self._case.onOpen()

    def onMessage(self, payload, isBinary):
        self._case.onMessage(payload.decode("latin-1"), isBinary)

    def onPong(self, payload):
        self._case.onPong(payload.decode("latin-1"))

    def onClose(self, wasClean, code, reason):
        self._case.onClose(wasClean, code, reason)

    def connection_lost(self, exc):
        super().connection_lost(exc)
        for timer in self._timers:
            timer.cancel()
        self._case.onConnectionLost(self.failedByMe)
        if not self._done.done():
            self._done.set_result(self._case)

    def logTxFrame(self, frameHeader, payload, repeatLength, chopsize, sync):
        self.txFrameStats[frameHeader.opcode] += 1

    # What the case asks for.

    def continueLater(self, delay, fun, tag=None):
        self._later(delay, fun)

    def killAfter(self, delay):
        self._later(delay * PATIENCE, self._fail_connection)

    def closeAfter(self, delay):
        # Some cases end by this timer when all is well: it keeps its time.
        self._later(delay, self.sendClose)

    def enableWirelog(self, enable):
        pass

    def sendFrame(self, opcode, payload="", **options):
        super().sendFrame(opcode, octets(payload), **options)

    def sendMessage(self, payload, isBinary=False, **options):
        super().sendMessage(octets(payload), isBinary, **options)

    def sendMessageFrameData(self, payload, sync=False):
        return super().sendMessageFrameData(octets(payload), sync)

    def sendCloseFrame(self, code=None, reasonUtf8=None, isReply=False):
        super().sendCloseFrame(code, octets(reasonUtf8), isReply)

    def _later(self, delay, fun):
        def fire():
            if self.state != self.STATE_CLOSED:
                fun()

        self._timers.append(asyncio.get_running_loop().call_later(delay, fire))


async def run_case(url, case_id, kind):
    """Runs one case on a connection of its own; its row of the report."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    factory = WebSocketClientFactory(url, loop=loop)
    factory.setProtocolOptions(failByDrop=False, closeHandshakeTimeout=5, serverConnectionDropTimeout=5)
    factory.logFrames = True
    factory.protocol = lambda: Peer(kind, done)
    where = urllib.parse.urlsplit(url)
    started = time.monotonic()
    transport, peer = await loop.create_connection(factory, where.hostname, where.port)
    try:
        case = await asyncio.wait_for(done, CASE_SECONDS_MAX)
        row = {
            "behavior": case.behavior,
            "behaviorClose": case.behaviorClose,
            "result": case.result,
            "resultClose": case.resultClose,
        }
    except asyncio.TimeoutError:
        transport.abort()
        row = {"behavior": "TIMEOUT", "behaviorClose": "TIMEOUT", "result": "The case did not end.", "resultClose": ""}
    return row | {
        "id": case_id,
        "remoteCloseCode": peer.remoteCloseCode,
        "wasClean": peer.wasClean,
        "duration_ms": round(1000 * (time.monotonic() - started)),
    }


async def run_cases(url, cases, jobs):
    """Rows of the cases that ran: all of them, unless too many failed.

    Cases that move megabytes as fast as they can run alone, after the others. (9.5 and 9.6 send
    theirs in little bits, and mostly wait.)
    """
    rows = {}
    gate = asyncio.Semaphore(jobs)

    async def one(case_id):
        async with gate:
            if sum(map(failed, rows.values())) < FAILURES_MAX:
                rows[case_id] = await run_case(url, case_id, cases[case_id])

    alone = [case_id for case_id in cases if case_id.startswith(("9.1.", "9.2.", "9.3.", "9.4.", "9.7.", "9.8."))]
    await asyncio.gather(*(one(case_id) for case_id in cases if case_id not in alone))
    for case_id in alone:
        await one(case_id)
    return [rows[case_id] for case_id in cases if case_id in rows]


def failed(row):
    """Whether this row of a report is a failure."""
    return row["behavior"] not in BEHAVIOUR_GOOD or row["behaviorClose"] not in CLOSE_GOOD


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--archive", required=True, help="source package of the suite")
    parser.add_argument("--url", required=True, help="the echo server")
    parser.add_argument("--report", required=True, type=pathlib.Path, help="where to write the JSON report")
    parser.add_argument("--cases", default="*", help="patterns, separated by commas")
    parser.add_argument("--jobs", type=int, default=4, help="cases at a time, outside section 9")
    options = parser.parse_args()

    every = load(options.archive)
    patterns = options.cases.split(",")
    chosen = {key: kind for key, kind in every.items() if any(fnmatch.fnmatch(key, one) for one in patterns)}
    if not chosen:
        print(f"autobahn: no case matches {options.cases}", file=sys.stderr)
        return 2

    started = time.monotonic()
    try:
        rows = asyncio.run(run_cases(options.url, chosen, options.jobs))
    except OSError as error:
        print(f"autobahn: cannot reach {options.url}: {error}", file=sys.stderr)
        return 2
    seconds = time.monotonic() - started

    behaviour = collections.Counter(row["behavior"] for row in rows)
    close = collections.Counter(row["behaviorClose"] for row in rows)
    bad = [row for row in rows if failed(row)]
    report = {"cases": rows, "behavior": behaviour, "behaviorClose": close, "seconds": round(seconds, 1)}
    options.report.parent.mkdir(parents=True, exist_ok=True)
    options.report.write_text(json.dumps(report, indent=1) + "\n")

    for row in bad:
        print(
            f"autobahn: {row['id']}: {row['behavior']} ({row['result']}); "
            f"close {row['behaviorClose']}, code {row['remoteCloseCode']} ({row['resultClose']})"
        )
    if len(rows) < len(chosen):
        print(f"autobahn: stopped after {len(rows)} of {len(chosen)} cases")
    counts = ", ".join(f"{count} {name}" for name, count in behaviour.most_common())
    print(f"autobahn: {len(rows)} cases in {seconds:.0f} s: {counts}; {len(bad)} failures; report in {options.report}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
