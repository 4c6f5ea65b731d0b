# SPDX-License-Identifier: GPL-3.0-or-later
"""A Hub for tests, on 127.0.0.1 only: revisions, trees, resolve, searches, gating, LFS and Xet files behind a redirect
to a second server (the "storage host", another port under another name), and faults on demand.

    hub = Hub(); repo = hub.add(Repo("owner/name", {"a.json": b"{}", "w.safetensors": bytes}))
    hub.endpoint            what a client is given
    hub.fault = f           f(Request) -> None or a fault's name, asked for every request
    hub.log                 one Request for each, with what was answered
"""
import hashlib
import json
import os
import random
import re
import socket
import struct
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class File:
    """Content in memory or, for large ones, on disk."""

    def __init__(self, data=None, path=None, lfs=None, xet=False):
        self.data, self.path = data, path
        self.size = len(data) if data is not None else os.path.getsize(path)
        self.lfs = self.size > 10000 if lfs is None else lfs
        self.xet = hashlib.sha256(b"xet" + self.digest("sha256").encode()).hexdigest() if xet else None
        self.etag = self.digest("sha256") if self.lfs else self.digest("sha1", b"blob %d\0" % self.size)

    def digest(self, kind, head=b""):
        h = hashlib.new(kind, head)
        if self.data is not None:
            h.update(self.data)
        else:
            with open(self.path, "rb") as f:
                while chunk := f.read(1 << 20):
                    h.update(chunk)
        return h.hexdigest()

    def read(self, start, end):
        if self.data is not None:
            return self.data[start:end]
        with open(self.path, "rb") as f:
            f.seek(start)
            return f.read(end - start)


class Repo:
    def __init__(self, name, files, gated=None, private=False, tags=()):
        self.name, self.gated, self.private, self.tags = name, gated, private, list(tags)
        self.commits, self.main, self.gone = {}, None, set()
        self.extra_tree = []  # raw entries, for hostile lists
        self.set(files)

    def set(self, files):
        """A new commit."""
        files = {p: f if isinstance(f, File) else File(f) for p, f in files.items()}
        seed = json.dumps({p: f.etag for p, f in sorted(files.items())}).encode()
        self.main = hashlib.sha1(seed).hexdigest()
        self.commits[self.main] = files
        return self.main

    @property
    def files(self):
        return self.commits[self.main]

    def tree(self, commit):
        entries, folders = [], set()
        for path, f in sorted(self.commits[commit].items()):
            for i, c in enumerate(path):
                if c == "/" and path[:i] not in folders:
                    folders.add(path[:i])
                    entries.append({"type": "directory", "oid": "0" * 40, "size": 0, "path": path[:i]})
            e = {"type": "file", "oid": hashlib.sha1(f.etag.encode()).hexdigest() if f.lfs else f.etag,
                 "size": f.size, "path": path}
            if f.lfs:
                e["lfs"] = {"oid": f.etag, "size": f.size, "pointerSize": 134}
            if f.xet:
                e["xetHash"] = f.xet
            entries.append(e)
        return entries + self.extra_tree


class Request:
    def __init__(self, handler, storage):
        self.storage, self.method, self.path = storage, handler.command, handler.path
        self.range, self.auth = handler.headers.get("Range"), handler.headers.get("Authorization")
        self.headers = dict(handler.headers)
        self.fault, self.status, self.sent, self.file = None, None, 0, None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    wbufsize = 0

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        hub = self.server.hub
        self.r = r = Request(self, self.server.storage)
        with hub.lock:
            hub.log.append(r)
            r.fault = hub.fault(r) if hub.fault else None
        try:
            if r.fault in EARLY:
                EARLY[r.fault](self)
            elif self.server.storage:
                self.storage()
            else:
                self.route()
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            self.close_connection = True

    # ---- answers

    def start(self, status, length, headers=()):
        self.r.status = status
        self.send_response_only(status)
        for k, v in headers:
            if v is not None:
                self.send_header(k, str(v))
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def answer(self, status, body=b"", headers=()):
        if isinstance(body, (dict, list)):
            body, headers = json.dumps(body).encode(), [("Content-Type", "application/json"), *headers]
        if self.r.fault == "truncated" and status == 200:
            self.start(status, None, [*headers, ("Connection", "close")])
            self.wfile.write(body[:self.server.hub.rng.randrange(len(body))])
            self.close_connection = True
            return
        self.start(status, len(body), headers)
        if self.command != "HEAD":
            self.wfile.write(body)
            self.r.sent += len(body)

    def error(self, status, code, message, headers=()):
        self.answer(status, {"error": message}, [("X-Error-Code", code), ("X-Error-Message", message), *headers])

    # ---- the Hub

    def route(self):
        hub = self.server.hub
        url = urllib.parse.urlsplit(self.path)
        path = urllib.parse.unquote(url.path)
        query = urllib.parse.parse_qs(url.query)
        if path == "/api/models":
            return self.search(query)
        m = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(revision|tree)/(.+)", path)
        n = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        if not m and not n:
            return self.error(404, None, "Not found")
        repo = hub.repos.get((m or n).group(1))
        moved = hub.moved.get((m or n).group(1))
        if moved:
            return self.answer(307, b"", [("Location", self.path.replace((m or n).group(1), moved))])
        token = (self.r.auth or "").removeprefix("Bearer ")
        if token and token not in hub.tokens:
            return self.error(401, None, "Invalid credentials in Authorization header")
        if not repo or (repo.private and repo.name not in hub.tokens.get(token, ())):
            return self.error(404 if token else 401, "RepoNotFound", "Repository not found")
        revision = m.group(3) if m else n.group(2)
        commit = repo.main if revision == "main" else revision
        if commit not in repo.commits or commit in repo.gone:
            return self.error(404, "RevisionNotFound", "Invalid rev id: " + revision)
        if m and m.group(2) == "revision":
            return self.answer(200, {"id": repo.name, "sha": commit, "gated": repo.gated or False, "tags": repo.tags,
                                     "siblings": [{"rfilename": p} for p in list(repo.commits[commit])[:100]]})
        if m:
            return self.tree(repo, commit, query)
        self.resolve(repo, commit, n.group(3), token)

    def search(self, query):
        want = query.get("filter", [""])[0].removeprefix("diffusers:")
        words = query.get("search", [""])[0].lower()
        out = []
        for repo in self.server.hub.repos.values():
            index = repo.files.get("model_index.json")
            cls = json.loads(index.data).get("_class_name") if index else None
            if cls == want and words in repo.name.lower():
                out.append({"id": repo.name, "downloads": len(repo.name), "likes": 1, "gated": repo.gated or False,
                            "tags": repo.tags, "lastModified": "2026-01-01T00:00:00.000Z"})
        self.answer(200, out)

    def tree(self, repo, commit, query):
        hub = self.server.hub
        entries, at = repo.tree(commit), int(query.get("cursor", ["0"])[0])
        page, headers = entries[at:at + hub.page], []
        if hub.endless or at + hub.page < len(entries):
            link = f"{hub.endpoint}/api/models/{repo.name}/tree/{commit}?recursive=true&cursor="
            headers = [("Link", f'<{link}{0 if hub.endless else at + hub.page}>; rel="next"')]
            if hub.endless:  # a billion files: each page has new names
                hub.endless += 1
                page = [{"type": "file", "oid": "a" * 40, "size": 1, "path": f"f{hub.endless}-{i}"}
                        for i in range(1000)]
        self.answer(200, page, headers)

    def resolve(self, repo, commit, path, token):
        hub = self.server.hub
        f = repo.commits[commit].get(path)
        if not f:
            return self.error(404, "EntryNotFound", "Entry not found", [("X-Repo-Commit", commit)])
        if repo.gated:
            if not token:
                return self.error(401, "GatedRepo", f"Access to model {repo.name} is restricted.")
            if "no-right" in token:
                return self.error(403, "GatedRepo", "Please enable access to public gated repositories in your"
                                  " fine-grained token settings to view this repository.")
            if repo.name not in hub.tokens.get(token, ()):
                return self.error(403, "GatedRepo", f"Access to model {repo.name} is restricted and you are not in the"
                                  " authorized list.")
        self.r.file = (repo.name, path)
        head = [("X-Repo-Commit", commit), ("Accept-Ranges", "bytes")]
        if not f.lfs:
            return self.body(f, head + [("ETag", f'"{f.etag}"')])
        etag, size = f.etag, f.size
        if self.r.fault == "changed":
            etag = hashlib.sha256(etag.encode()).hexdigest()
        if self.r.fault == "lie":
            size += 1
        head += [("X-Linked-Etag", f'"{etag}"'), ("X-Linked-Size", size), ("ETag", f'"{etag}"')]
        if f.xet:
            head += [("X-Xet-Hash", f.xet), ("Link", f'<{hub.endpoint}/api/models/{repo.name}/xet-read-token/{commit}>;'
                                             ' rel="xet-auth"')]
        where = f"{hub.storage_url}/{f.etag}?sig={hub.rng.randrange(1 << 30)}"
        self.answer(302, b"", head + [("Location", where)])

    # ---- the storage host

    def storage(self):
        hub = self.server.hub
        etag = urllib.parse.urlsplit(self.path).path.strip("/")
        if etag == "loop":
            return self.answer(302, b"", [("Location", f"{hub.storage_url}/loop")])
        for repo in list(hub.repos.values()):
            for files in list(repo.commits.values()):
                for path, f in files.items():
                    if f.etag == etag and f.lfs:
                        self.r.file = (repo.name, path)
                        return self.body(f, [("ETag", '"storage-%s"' % etag[:8]), ("Accept-Ranges", "bytes")])
        self.answer(404)

    def body(self, f, headers):
        start, end, status = 0, f.size, 200
        m = re.fullmatch(r"bytes=(\d+)-(\d*)", self.r.range or "")
        if m and self.r.fault != "no-range" and not self.server.hub.no_ranges:
            start = int(m.group(1))
            end = min(int(m.group(2)) + 1 if m.group(2) else f.size, f.size)
            if start >= end:
                return self.answer(416, b"", [("Content-Range", f"bytes */{f.size}")])
            status = 206
            total = f.size + (7 if self.r.fault == "range-lie" else 0)
            headers = [*headers, ("Content-Range", f"bytes {start}-{end - 1}/{total}")]
        fault = BODY.get(self.r.fault) if self.command != "HEAD" else None
        if fault:
            return fault(self, f, start, end, status, headers)
        self.start(status, end - start, headers)
        if self.command != "HEAD":
            self.send(f, start, end)

    def send(self, f, start, end):
        rate = self.server.hub.rate
        if f.path and not rate:
            with open(f.path, "rb") as file:
                self.r.sent += self.connection.sendfile(file, start, end - start)
            return
        step = 64 << 10
        for at in range(start, end, step):
            data = f.read(at, min(end, at + step))
            self.wfile.write(data)
            self.r.sent += len(data)
            if rate:
                time.sleep(len(data) / rate)

    def cut_off(self):
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


# ---- faults: before routing

def early_status(status, headers=()):
    return lambda h: h.error(status, None, "fault", headers)


def early_cut(h):
    h.cut_off()


def early_stall(h):
    time.sleep(h.server.hub.stall)
    h.cut_off()


def early_loop(h):
    h.answer(302, b"", [("Location", h.path)])


def early_portal(h):
    h.answer(200, b"<html>Please sign in</html>", [("Content-Type", "text/html")])


EARLY = {"429": early_status(429, [("Retry-After", "0")]), "500": early_status(500), "503": early_status(503),
         "refuse": early_cut, "silence": early_stall, "loop": early_loop, "portal": early_portal}


# ---- faults: in the body of a file

def body_cut(h, f, start, end, status, headers):
    h.start(status, end - start, headers)
    h.send(f, start, start + h.server.hub.rng.randrange(end - start + 1))
    h.cut_off()


def body_stall(h, f, start, end, status, headers):
    h.start(status, end - start, headers)
    h.send(f, start, start + h.server.hub.rng.randrange(end - start + 1))
    time.sleep(h.server.hub.stall)
    h.cut_off()


def body_short(h, f, start, end, status, headers):
    n = h.server.hub.rng.randrange(end - start + 1)
    h.start(status, n, headers)
    h.send(f, start, start + n)


def body_long(h, f, start, end, status, headers):
    h.start(status, end - start + 1000, headers)
    h.send(f, start, end)
    h.wfile.write(b"x" * 1000)


def body_wrong(h, f, start, end, status, headers):
    data = bytearray(f.read(start, end))
    if data:
        data[h.server.hub.rng.randrange(len(data))] ^= 0x40
    h.start(status, len(data), headers)
    h.wfile.write(data)
    h.r.sent += len(data)


BODY = {"cut": body_cut, "stall": body_stall, "short": body_short, "long": body_long, "wrong": body_wrong}

API_FAULTS = ["truncated", "429", "500", "503", "refuse", "silence", "loop", "portal"]
FILE_FAULTS = ["cut", "stall", "short", "long", "wrong", "no-range", "range-lie", "changed", "lie", "429", "500", "503",
               "refuse", "silence", "loop"]


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *args):
        super().__init__(*args)
        self.connections = set()

    def handle_error(self, request, client_address):
        pass

    def process_request(self, request, client_address):
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self.connections.discard(request)
        super().shutdown_request(request)


class Hub:
    def __init__(self, seed=0):
        self.ports = (0, 0)
        self.rng, self.lock = random.Random(seed), threading.Lock()
        self.repos, self.tokens, self.moved, self.log, self.fault = {}, {}, {}, [], None
        self.page, self.endless, self.no_ranges, self.rate, self.stall = 1000, 0, False, 0, 1.0
        self.open()
        self.endpoint = f"http://127.0.0.1:{self.api.server_port}"
        self.storage_url = f"http://localhost:{self.store.server_port}"

    def open(self):
        """Listens; after close() again on the same ports, as a network that comes back."""
        self.api, self.store = (Server(("127.0.0.1", port), Handler) for port in self.ports)
        self.ports = (self.api.server_port, self.store.server_port)
        for server, storage in ((self.api, False), (self.store, True)):
            server.hub, server.storage = self, storage
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def add(self, repo):
        self.repos[repo.name] = repo
        return repo

    def close(self, cut=False):
        """cut: connections that are open too."""
        for server in (self.api, self.store):
            server.shutdown()
            server.socket.close()
            for connection in list(server.connections) if cut else ():
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            server.server_close()


# ---- repositories to serve

def safetensors(rng, n_bytes):
    """A well-formed file of one U8 tensor with `n_bytes` random bytes."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [n_bytes // 4], "data_offsets": [0, n_bytes // 4 * 4]}}).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + rng.randbytes(n_bytes // 4 * 4)


def sana(rng, scale=1, cls="SanaPipeline"):
    """A repository shaped like Sana's, in miniature: shards, a variant, things nobody needs."""
    kib = 1024 * scale
    index = {"_class_name": cls, "_diffusers_version": "0.32.0", "scheduler": ["diffusers", "DPMSolverMultistepScheduler"],
             "text_encoder": ["transformers", "Gemma2Model"], "tokenizer": ["transformers", "GemmaTokenizerFast"],
             "transformer": ["diffusers", "SanaTransformer2DModel"], "vae": ["diffusers", "AutoencoderDC"]}
    shards = lambda stem, sizes, v="": {
        f"{stem}{v}-{i + 1:05}-of-{len(sizes):05}.safetensors": safetensors(rng, s) for i, s in enumerate(sizes)}
    index_of = lambda stem, n: json.dumps({"weight_map": {
        f"w{i}": f"{stem}-{i + 1:05}-of-{n:05}.safetensors" for i in range(n)}}).encode()
    files = {"model_index.json": json.dumps(index).encode(), "README.md": b"---\nlicense: other\n---\n# Sana\n",
             ".gitattributes": b"*.safetensors filter=lfs\n", "LICENSE.txt": b"terms\n",
             "scheduler/scheduler_config.json": b'{"_class_name": "DPMSolverMultistepScheduler", "lambda_min_clipped": -Infinity}',
             "tokenizer/tokenizer.json": rng.randbytes(40 * kib), "tokenizer/tokenizer_config.json": b"{}",
             "transformer/config.json": b'{"_class_name": "SanaTransformer2DModel"}',
             "transformer/diffusion_pytorch_model.bf16.safetensors": File(safetensors(rng, 300 * kib), xet=True),
             "transformer/diffusion_pytorch_model.safetensors.index.json": index_of("diffusion_pytorch_model", 2),
             "transformer/diffusion_pytorch_model.int4.safetensors": safetensors(rng, 20 * kib),
             "text_encoder/config.json": b"{}", "text_encoder/model.safetensors.index.json": index_of("model", 2),
             "text_encoder/model.safetensors.index.bf16.json": index_of("model.bf16", 2),
             "vae/config.json": b'{"latent_channels": 32}', "vae/diffusion_pytorch_model.safetensors": safetensors(rng, 90 * kib)}
    files |= shards("transformer/diffusion_pytorch_model", [200 * kib, 60 * kib])
    files |= shards("text_encoder/model", [260 * kib, 30 * kib])
    files |= shards("text_encoder/model", [260 * kib, 30 * kib], ".bf16")
    return files
