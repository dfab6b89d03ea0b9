#!/usr/bin/python3
"""An encoder for Gakuen: takes chunks from the queue, has ffmpeg encode them, streams the result to Kaikeishi.

Needs Python 3.11, psycopg 3 (Debian: python3-psycopg), ffmpeg 5.1 with libx264. The letters with numbers are clauses of
docs/contracts. Environment: GAKUEN_QUEUE_URL (postgres://…), GAKUEN_KAIKEISHI_URL (http://…), GAKUEN_SLOTS, GAKUEN_FFMPEG.
"""

import http.client, json, os, select, signal, socket, subprocess, sys, threading, time, urllib.request, uuid  # noqa: E401
from urllib.parse import urlsplit

import psycopg
from arguments import chunk_arguments
from tracks import Malformed, track_parts

QUEUE, SIGNALS = "gakuen-encode", "gakuen-signals"
LOCK_MS, RENEW_SECONDS, STUCK_SECONDS = 4000, 1.3, 60
KAIKEISHI = urlsplit(os.environ.get("GAKUEN_KAIKEISHI_URL") or "http://127.0.0.1:8082")
SLOTS = int(os.environ.get("GAKUEN_SLOTS") or os.cpu_count() or 1)
GRACE_SECONDS = float(os.environ.get("GAKUEN_GRACE_SECONDS") or 20)
FFMPEG = ["nice", "-n", "10", "setpriv", "--pdeathsig", "KILL", "--", os.environ.get("GAKUEN_FFMPEG") or "ffmpeg"]
NAME = f"{socket.gethostname()}:{os.getpid()}"
OUTAGES = {"service.unreachable", "store.unavailable", "store.full", "database.unavailable"}
BAD_OUTPUT = {"encode.failed", "encode.stuck", "encode.incomplete", "ingest.mismatch"}
stopping = threading.Event()


class Failed(Exception):
    def __init__(self, code, message, retry=True):
        super().__init__(f"{code}: {message}")
        self.code, self.retry = code, retry


class Answered(Exception):
    """Kaikeishi has answered in the middle of a body."""


class Queue:
    """The queue's SQL functions (docs/contracts/queue.md), on one connection that is made anew when it breaks."""

    def __init__(self, url):
        self.url, self.lock, self.connection = url, threading.Lock(), None

    def call(self, query, *values):
        while True:
            try:
                with self.lock:
                    if self.connection is None or self.connection.closed:
                        options = "-c search_path=gakuen_queue"
                        self.connection = psycopg.connect(self.url, autocommit=True, options=options)
                        self.connection.execute("listen bullmq_jobs")
                    return self.connection.execute(query, values).fetchall()
            except psycopg.OperationalError as error:
                print("the queue is away:", error, file=sys.stderr)
                time.sleep(1)

    def news(self, seconds):
        """Waits until the database says something, or as long as that (Q-5)."""
        select.select([self.connection.fileno()], [], [], seconds)


AHEAD = [0]  # milliseconds by which the database's clock is ahead of ours


def now():
    return int(time.time() * 1000) + AHEAD[0]


class Task:
    """One job in hand."""

    def __init__(self, queue, row):
        self.queue, self.id, self.data, opts, self.attempts_made, self.deferred = queue, *row[:5]
        self.attempts, self.token = opts.get("attempts", 1), row[5]
        self.over, self.why, self.failure = threading.Event(), None, None
        self.ffmpeg, self.sockets, self.alive, self.seconds = None, [], time.monotonic(), -1.0

    def run(self):
        threading.Thread(target=self.keep, daemon=True).start()
        try:
            if self.deferred:
                raise Failed("internal", self.deferred, retry=False)
            self.encode()
        except Exception as error:  # whatever it was, the job must be ended
            self.failure = self.failure or (error if isinstance(error, Failed) else Failed("encode.failed", repr(error)))
        finally:
            self.stop(self.why)
            if self.failure and self.failure.code in OUTAGES and self.why is None:
                stopping.wait(2)  # Q-9; the lock is renewed meanwhile
            self.over.set()
        try:
            self.settle()
        except psycopg.Error as error:
            if error.sqlstate != "BM001":  # the job is somebody else's: nothing to say
                raise

    def settle(self):
        """Tells the queue how the job ended (Q-9 to Q-12)."""
        failure, mine = self.failure, (QUEUE, self.id, self.token)
        if self.why == "lock-lost":
            return
        if failure is None:
            self.queue.call("select move_to_completed(%s, %s, %s, 'null', %s, true, null, null)", *mine, now())
        elif self.why == "cancelled":
            ended = "select move_to_failed(%s, %s, %s, 'encode.cancelled: cancelled', '[]', %s, true, null, null)"
            self.queue.call(ended, *mine, now())
        elif self.why == "handed-back" or failure.code in OUTAGES:
            self.queue.call("select move_active_to_wait(%s, %s, %s, %s)", *mine, now())
        elif failure.retry and self.attempts_made + 1 < self.attempts:
            delay = 500 * 2**self.attempts_made
            later = "select move_to_delayed(%s, %s, %s, %s, %s, false, %s, '[]')"
            self.queue.call(later, *mine, now() + delay, delay, str(failure))
        else:
            ended = "select move_to_failed(%s, %s, %s, %s, '[]', %s, false, null, null)"
            self.queue.call(ended, *mine, str(failure), now())
            told = json.dumps({"title": self.data["ref"]["title"]})
            self.queue.call("select publish_event(%s, 'gakuen-failed', %s)", SIGNALS, told)

    def keep(self):
        """Renews the lock, tells progress, and notices when ffmpeg does not get on (Q-7, Q-8, E-11)."""
        ticks = sum(run["ticks"] * run["count"] for run in self.data["tracks"][0]["timeline"])
        told, total = -1.0, ticks / self.data["tracks"][0]["timescale"]
        while not self.over.wait(RENEW_SECONDS if told >= 0 else 0.5):
            held = self.queue.call("select extend_lock(%s, %s, %s, %s, %s)", QUEUE, self.id, self.token, LOCK_MS, now())
            if held[0][0] == 0:
                self.stop("lock-lost")
            if self.seconds > told:
                told = self.seconds
                progress = json.dumps({"seconds": min(told, total), "total": total, "encoder": NAME})
                self.queue.call("select update_progress(%s, %s, %s)", QUEUE, self.id, progress)
            if time.monotonic() - self.alive > STUCK_SECONDS:
                self.fail(Failed("encode.stuck", f"ffmpeg made no progress for {STUCK_SECONDS} s"))

    def stop(self, why):
        """Ends ffmpeg at once and breaks off what is being sent (E-12)."""
        self.why = self.why or why
        if self.ffmpeg:
            self.ffmpeg.kill()
        for sock in self.sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def fail(self, failure):
        self.failure = self.failure or failure  # the first one tells most
        self.stop(None)

    def encode(self):
        ref = self.data["ref"]
        claim = self.request("POST", f"/ingest/{ref['title']}/{ref['plan']}/{ref['chunk']}/claim", self.data["grant"])
        if claim["state"] == "complete":
            return
        pipes = [os.pipe() for _ in self.data["tracks"]] + [os.pipe()]
        *outputs, progress = [write for _, write in pipes]
        command = [*FFMPEG, "-progress", f"pipe:{progress}", "-stats_period", "0.5"]
        command += chunk_arguments(self.data, pipes=outputs)
        null, passed = subprocess.DEVNULL, [*outputs, progress]
        self.ffmpeg = subprocess.Popen(command, stdin=null, stdout=null, stderr=subprocess.PIPE, pass_fds=passed)
        said = []
        threads = [threading.Thread(target=lambda: said.append(self.ffmpeg.stderr.read()[-2000:]))]
        threads.append(threading.Thread(target=self.follow, args=(pipes[-1][0],)))
        for write in passed:
            os.close(write)
        for index, (read, _) in enumerate(pipes[:-1]):
            threads.append(threading.Thread(target=self.upload, args=(index, read, claim["token"], said)))
        for thread in threads:
            thread.start()
        if self.why:
            self.ffmpeg.kill()  # it was told to stop before there was anything to kill
        for thread in threads:
            thread.join()
        self.ffmpeg.stderr.close()
        if self.failure and self.failure.code in BAD_OUTPUT and not self.why:
            self.demand_source()
        if self.failure or self.why:
            raise self.failure or Failed("encode.cancelled", self.why)

    def demand_source(self):
        """Where Kaichou gives the source and is away, that is why ffmpeg failed (E-10)."""
        url = self.data["source"].get("url", "")
        if urlsplit(url).path != f"/sources/{self.data['ref']['title']}":
            return
        try:
            asked = urllib.request.Request(url, headers={"Range": "bytes=0-0"})
            urllib.request.urlopen(asked, timeout=10).close()
        except OSError as error:  # an answer with an error status is one too
            if getattr(error, "code", 502) >= 502:
                self.failure = Failed("service.unreachable", f"the source cannot be read: {error}")

    def follow(self, pipe):
        with os.fdopen(pipe) as lines:
            for key, _, value in (line.strip().partition("=") for line in lines):
                if key == "out_time_us" and value.isdigit() and int(value) / 1e6 > self.seconds:
                    self.seconds, self.alive = int(value) / 1e6, time.monotonic()

    def upload(self, index, pipe, token, said):
        """Sends one track while it is made (I-6, I-7); breaks off rather than end one that is not whole (E-10)."""
        sock = None
        try:
            sock = self.begin_put(self.data["tracks"][index]["id"], token)

            def read():
                ready, _, _ = select.select([pipe, sock], [], [])
                if sock in ready:
                    raise Answered
                self.alive = time.monotonic()
                return os.read(pipe, 1 << 16)

            try:
                try:
                    for part in track_parts(self.data, index, read):
                        self.send(sock, b"%x\r\n%b\r\n" % (len(part), part))
                except Malformed as error:
                    self.demand_success(said)
                    raise Failed("encode.incomplete", str(error)) from error
                self.demand_success(said)
                self.send(sock, b"0\r\n\r\n")
            except Answered:
                pass
            sock.setblocking(True)
            answer_of(sock, 201)
            print(self.id, self.data["tracks"][index]["id"], "stored", flush=True)
        except (OSError, http.client.HTTPException) as error:
            self.fail(Failed("service.unreachable", f"Kaikeishi broke off: {error!r}"))
        except Failed as error:
            self.fail(error)
        except Exception as error:
            self.fail(Failed("encode.failed", repr(error)))
        finally:
            os.close(pipe)
            if sock:
                sock.close()

    def demand_success(self, said):
        if self.ffmpeg.wait() != 0:
            time.sleep(0.1)  # for what it said last
            told = b"".join(said).decode(errors="replace").strip()
            raise Failed("encode.failed", f"ffmpeg ended with {self.ffmpeg.returncode}: {told or 'it said nothing'}")

    def send(self, sock, data):
        """As fast as Kaikeishi reads, and with an eye on its answer (I-15, I-16)."""
        left = memoryview(data)
        while left:
            ready, writable, _ = select.select([sock], [sock], [], 1)
            self.alive = time.monotonic()  # whoever is held back is not stuck
            if ready:
                raise Answered
            if writable:
                left = left[sock.send(left[: 1 << 16]) :]

    def connect(self):
        try:
            sock = socket.create_connection((KAIKEISHI.hostname, KAIKEISHI.port or 80), timeout=20)
        except OSError as error:
            raise Failed("service.unreachable", f"Kaikeishi at {KAIKEISHI.netloc}: {error}") from error
        self.sockets.append(sock)
        return sock

    def begin_put(self, track, token):
        ref, sock = self.data["ref"], self.connect()
        path = f"/ingest/{ref['title']}/{ref['plan']}/{track}/{ref['chunk']}"
        head = f"PUT {path} HTTP/1.1\r\nHost: {KAIKEISHI.netloc}\r\nAuthorization: Bearer {token}\r\n"
        kind = "Content-Type: %s/mp4\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" % self.data["kind"]
        sock.sendall((head + kind).encode())
        sock.setblocking(False)
        return sock

    def request(self, method, path, token):
        sock = self.connect()
        head = f"{method} {path} HTTP/1.1\r\nHost: {KAIKEISHI.netloc}\r\nAuthorization: Bearer {token}\r\n"
        try:
            sock.sendall((head + "Content-Length: 0\r\nConnection: close\r\n\r\n").encode())
            return answer_of(sock, 200)
        except (OSError, http.client.HTTPException) as error:
            raise Failed("service.unreachable", f"Kaikeishi broke off: {error!r}") from error
        finally:
            sock.close()


def answer_of(sock, wanted):
    """The answer's JSON; any other status is the failure that its problem document tells of."""
    response = http.client.HTTPResponse(sock)
    response.begin()
    body = response.read()
    try:
        answer = json.loads(body or b"null")
        if response.status == wanted:
            return answer
        raise Failed(answer["code"], answer["detail"], answer["retry"])
    except (ValueError, KeyError, TypeError):
        raise Failed("service.unreachable", f"Kaikeishi answered {response.status}: {body[:200]!r}") from None


def watch(queue, tasks):
    """Cancelled titles, and jobs of workers that died (Q-13, Q-14)."""
    (last,) = queue.call("select coalesce(max(id), 0) from event where queue = %s", SIGNALS)[0]
    while True:
        time.sleep(0.5)
        newer = "select id, event, data from event where queue = %s and id > %s order by id limit 500"
        for last, event, data in queue.call(newer, SIGNALS, last):
            if event == "gakuen-cancel":
                for task in [task for task in list(tasks) if task.data["ref"]["title"] == data["title"]]:
                    task.stop("cancelled")
        queue.call("select move_stalled_jobs_to_wait(%s, 1000000, %s, 1000)", QUEUE, now())


def main():
    queue, tasks = Queue(os.environ.get("GAKUEN_QUEUE_URL") or os.environ["GAKUEN_DATABASE_URL"]), {}
    ((theirs,),) = queue.call("select extract(epoch from clock_timestamp()) * 1000")
    AHEAD[0] = int(theirs) - now()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    threading.Thread(target=watch, args=(queue, tasks), daemon=True).start()
    take = "select id, data, opts, attempts_made, deferred_failure, lock_token from move_to_active(%s, %s, %s, %s, %s, null, null)"
    print(f"encoding in {SLOTS} slots for {KAIKEISHI.geturl()}", flush=True)
    while not stopping.is_set():
        for task in [task for task, thread in list(tasks.items()) if not thread.is_alive()]:
            del tasks[task]
        row = queue.call(take, QUEUE, str(uuid.uuid4()), LOCK_MS, now(), NAME) if len(tasks) < SLOTS else None
        if row:
            task = Task(queue, row[0])
            tasks[task] = threading.Thread(target=task.run)
            tasks[task].start()
        else:
            queue.news(0.2 if tasks else 1)
    until = time.monotonic() + GRACE_SECONDS
    for thread in tasks.values():
        thread.join(max(0, until - time.monotonic()))
    for task, thread in tasks.items():
        if thread.is_alive():
            task.stop("handed-back")
            thread.join()


if __name__ == "__main__":
    main()
